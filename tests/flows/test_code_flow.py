"""The authorization code flow, from the client's request over our pages to tokens (OpenID Connect Core, section 3.1)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime

import jwt
import pytest
from hosted import Browser, Party, answer_of, claims_of, form_of
from world import World


async def test_who_signs_in_and_allows_it_gives_the_client_tokens(world: World) -> None:
    party = await Party.registered(world, first_party=False)
    email = await world.registered()

    async with Browser(world) as browser:
        page = await browser.authorize(party)
        page = await browser.sign_in(page, email)
        assert 'id="allow"' in page.text
        answer = answer_of(await browser.submit(page, "allow"))
    done = await party.redeem(answer["code"])

    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == (party.state, world.settings.issuer)
    tokens = done.json()
    assert tokens.keys() == {"access_token", "id_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert (await world.userinfo(tokens["access_token"])).json()["email"] == email


async def test_the_id_token_says_what_the_specification_wants(world: World) -> None:
    """TE20."""
    party = await Party.registered(world)
    before = int(datetime.now(UTC).timestamp())

    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered())

    keys = jwt.PyJWKClient(f"{world.settings.issuer}/.well-known/jwks.json")
    key = await asyncio.to_thread(keys.get_signing_key_from_jwt, tokens["id_token"])
    claims = jwt.decode(
        tokens["id_token"], key, ["RS256"], audience=party.client.client_id, issuer=world.settings.issuer
    )
    access = claims_of(tokens["access_token"])
    assert claims["sub"] == access["sub"]
    assert claims["sid"] == access["sid"]
    assert claims["nonce"] == party.nonce
    assert claims["azp"] == party.client.client_id
    assert before <= claims["auth_time"] <= claims["iat"] < claims["exp"]
    assert claims["amr"] == ["pwd"]
    assert claims["at_hash"] == half_hash(tokens["access_token"])
    assert not {"email", "name", "roles"} & claims.keys()


async def test_a_client_that_never_asks_userinfo_finds_the_claims_of_its_scopes_in_the_id_token(world: World) -> None:
    """Auth.js and others read the ID token only. A narrower refresh tells less; protocol claims stay what they are."""
    party = await Party.registered(world, id_token_claims=True, scope="openid profile email offline_access")

    async with Browser(world) as browser:
        email = await world.registered()
        tokens = await party.tokens(browser, email)
    renewed = (await party.refresh(tokens["refresh_token"])).json()
    narrow = (await party.refresh(renewed["refresh_token"], scope="openid email")).json()

    first, second, third = (claims_of(each["id_token"]) for each in (tokens, renewed, narrow))
    for claims in (first, second):
        assert (claims["name"], claims["email"], claims["email_verified"]) == ("Ada", email, False)
        assert isinstance(claims["updated_at"], int)
    assert third["email"] == email
    assert not {"name", "updated_at"} & third.keys()
    assert {claims["iss"] for claims in (first, second, third)} == {world.settings.issuer}


def half_hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()


async def test_without_openid_there_is_no_id_token(world: World) -> None:
    """TE21."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered(), scope="profile offline_access")

    assert "id_token" not in tokens


async def test_who_is_signed_in_and_has_allowed_it_before_sees_no_page(world: World) -> None:
    """AZ11."""
    party = await Party.registered(world, first_party=False)
    email = await world.registered()

    async with Browser(world) as browser:
        await browser.authorized(party, email)
        answer = answer_of(await browser.get("/oauth2/authorize", params=party.request(prompt="none")))

    assert (await party.redeem(answer["code"])).status_code == 200


async def test_a_new_scope_is_asked_for_and_an_old_one_is_not(world: World) -> None:
    """AZ18."""
    party = await Party.registered(world, first_party=False)
    email = await world.registered()

    async with Browser(world) as browser:
        await browser.authorized(party, email, scope="openid")
        again = await browser.authorize(party, scope="openid")
        more = await browser.authorize(party, scope="openid email")

    assert again.status_code == 303
    assert 'id="allow"' in more.text


async def test_who_refuses_sends_the_client_access_denied(world: World) -> None:
    party = await Party.registered(world, first_party=False)

    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), await world.registered())
        answer = answer_of(await browser.submit(page, "deny"))

    assert answer["error"] == "access_denied"
    assert (answer["state"], answer["iss"]) == (party.state, world.settings.issuer)


async def test_refreshing_renews_the_id_token_of_the_same_sign_in(world: World) -> None:
    party = await Party.registered(world)

    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered())
    renewed = (await party.refresh(tokens["refresh_token"])).json()

    first, second = claims_of(tokens["id_token"]), claims_of(renewed["id_token"])
    kept = ("iss", "sub", "aud", "azp", "auth_time", "sid", "amr", "acr")
    assert {name: second[name] for name in kept} == {name: first[name] for name in kept}
    assert "nonce" not in second
    assert second["at_hash"] != first["at_hash"]


@pytest.mark.parametrize("mode", ["query", "fragment"])
async def test_the_answer_stands_where_the_client_wants_it(world: World, mode: str) -> None:
    """AZ9."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        page = await browser.authorize(party, response_mode=mode)
        done = await browser.sign_in(page, await world.registered())

    assert done.headers["location"].startswith(f"{party.redirect_uri}{'?' if mode == 'query' else '#'}code=")


async def test_an_answer_by_form_post_is_a_page_that_sends_itself(world: World) -> None:
    """AZ9, HD7."""
    party = await Party.registered(world)
    state = "a b&c/é\"'<>"

    async with Browser(world) as browser:
        page = await browser.authorize(party, response_mode="form_post", state=state)
        done = await browser.sign_in(page, await world.registered())

    form = form_of(done)
    assert form.action == party.redirect_uri
    assert form.fields["state"] == state
    assert form.fields["iss"] == world.settings.issuer
    assert "<script src=" in done.text
    assert (await party.redeem(form.fields["code"])).status_code == 200


async def test_who_asks_for_another_mail_after_all_goes_on_by_a_link(world: World) -> None:
    """HD7: by a redirect that follows a form the browser might not go where the client leads."""
    party, email = await Party.registered(world), await world.registered()
    await world.post("/auth/verify-email", token=(await world.mail(email, "Verify")).token)

    async with Browser(world) as browser:
        handle = form_of(await browser.authorize(party)).fields["request"]
        await browser.signed_in(email)
        page = await browser.submit(await browser.get("/verify-email", params={"request": handle}), "resend")

    assert page.status_code == 200
    assert f'href="/continue?request={handle}"' in page.text


async def test_a_request_by_post_is_the_same_as_one_by_get(world: World) -> None:
    """AZ1. A form of another site brings no cookies of ours, so the sign-in is found at the redirect that follows."""
    party = await Party.registered(world)
    email = await world.registered()

    async with Browser(world) as browser:
        await browser.signed_in(email)
        sent = await world.http.post(
            "/oauth2/authorize", data=party.request(), headers={"Origin": "https://app.example"}
        )
        answer = answer_of(await browser.follow(await browser.get(sent.headers["location"])))

    assert "set-cookie" not in sent.headers
    assert (await party.redeem(answer["code"])).status_code == 200


async def test_who_is_signed_in_can_sign_in_as_somebody_else(world: World) -> None:
    first, second = await world.registered(), await world.registered()
    async with Browser(world) as browser:
        await browser.signed_in(first)
        assert (await browser.get("/login")).headers["location"] == "/account"
        page = await browser.get("/login", params={"another": "true"})

        account = await browser.sign_in(page, second)

    assert second in account.text
    assert first not in account.text
