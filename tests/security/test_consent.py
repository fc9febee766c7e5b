"""What a user allows is what the stored request asks for, by the user who was asked (AZ18 to AZ20)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
from hosted import Browser, Party, answer_of, claims_of, form_of
from world import SCOPE, World

from idp.domain.sign_in.browser_sessions import digest_of


@pytest.fixture
async def party(world: World) -> Party:
    return await Party.registered(world, first_party=False)


def asks(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'id="allow"' in page.text


async def consents(world: World, email: str) -> list[str]:
    rows = await world.database.fetch(
        "SELECT c.scope FROM consents c JOIN users u ON u.id = c.user_id WHERE u.email_norm = $1", email
    )
    return [row["scope"] for row in rows]


async def test_the_page_names_client_scopes_user_and_destination(world: World, party: Party) -> None:
    """AZ18."""
    await world.changed_client(party.client, name="Photo Prints", scope=f"{SCOPE} prints:order")
    email = await world.registered()

    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party, scope="openid email prints:order"), email)

    assert asks(page)
    for text in (
        "Photo Prints",
        "See your e-mail address",
        "<code>prints:order</code>",
        email,
        "<strong>app.example</strong>",
    ):
        assert text in page.text
    assert "See your profile" not in page.text


@pytest.mark.parametrize(
    ("allowed", "asked", "again"),
    [
        ("openid", "openid", False),
        ("openid email", "openid", False),
        ("openid", "openid email", True),
        ("openid email", "openid profile", True),
    ],
)
async def test_what_was_not_allowed_before_is_asked_for(
    world: World, party: Party, allowed: str, asked: str, again: bool
) -> None:
    """AZ18."""
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope=allowed)
        page = await browser.authorize(party, scope=asked)

    assert asks(page) is again
    assert again or "code" in answer_of(page)


CLAIMS = '{"userinfo":{"phone_number":null},"id_token":{"address":{"essential":true}}}'


async def test_claims_that_are_asked_for_by_name_need_consent_too(world: World) -> None:
    """AZ18, UI3."""
    party = await Party.registered(world, first_party=False, scope="openid phone address")

    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope="openid")
        page = await browser.authorize(party, scope="openid", claims=CLAIMS)

    assert asks(page)
    assert "See your telephone number" in page.text
    assert "See your postal address" in page.text


async def test_claims_of_a_scope_that_the_client_is_not_registered_for_are_told_under_no_name(world: World) -> None:
    """UI3: of a first-party client, nobody is asked."""
    party = await Party.registered(world, scope="openid")
    email = await world.registered()
    async with Browser(world) as browser:
        tokens = await party.tokens(
            browser, email, scope="openid", claims='{"userinfo":{"email":null,"name":null},"id_token":{"email":null}}'
        )
    info = await world.http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert info.json().keys() == {"sub"}
    assert "email" not in claims_of(tokens["id_token"])


async def test_the_consent_of_one_user_or_client_is_not_that_of_another(world: World, party: Party) -> None:
    """AZ18."""
    other = await Party.registered(world, first_party=False)

    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered())
        elsewhere = await browser.authorize(other)
        page = await browser.sign_in(await browser.authorize(party, prompt="login"), await world.registered())

    assert asks(elsewhere)
    assert asks(page)


async def test_who_may_see_no_page_is_told_that_consent_is_needed(world: World, party: Party) -> None:
    """AZ10, AZ18."""
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        answer = answer_of(await browser.authorize(party, prompt="none"))

    assert answer["error"] == "consent_required"


async def test_a_form_from_nowhere_allows_nothing(world: World, party: Party) -> None:
    """AZ19; Keycloak CVE-2026-7507."""
    email = await world.registered()
    async with Browser(world) as browser:
        await browser.signed_in(email)
        own = form_of(await browser.get("/account/password")).fields["csrf_token"]
        for fields in (
            {"decision": "allow"},
            {"decision": "allow", "client_id": party.client.client_id, "scope": SCOPE},
            {"decision": "allow", "csrf_token": own},
            {"decision": "allow", "csrf_token": own, "request": "x" * 43},
            {"decision": "allow", "csrf_token": own, "request": "\U0001f600"},
        ):
            answer = await browser.http.post("/consent", data=fields)
            assert answer.status_code in (400, 403)
            assert "location" not in answer.headers

    assert await consents(world, email) == []


TAMPERED = {
    "scope": f"{SCOPE} admin",
    "client_id": "other",
    "redirect_uri": "https://evil.example/cb",
    "response_type": "token",
    "response_mode": "fragment",
    "state": "other",
    "nonce": "other",
    "code_challenge": "A" * 43,
    "code_challenge_method": "plain",
    "prompt": "none",
    "user_id": "other",
    "sub": "other",
}


async def test_what_a_form_adds_changes_nothing_of_the_request(world: World, party: Party) -> None:
    """AZ20, AZ8; Keycloak CVE-2026-7571."""
    email = await world.registered()
    async with Browser(world) as browser:
        page = await browser.authorize(party, scope="openid email")
        page = await browser.submit(page, "sign-in", email=email, password="Correct-Horse-7", **TAMPERED)
        form = form_of(page, "allow")
        query = httpx.QueryParams(TAMPERED)
        sent = await browser.http.post(f"/consent?{query}", data=form.fields | TAMPERED | {"decision": "allow"})

    assert sent.headers["location"].startswith(f"{party.redirect_uri}?code=")
    answer = answer_of(sent)
    tokens = (await party.redeem(answer["code"])).json()
    assert answer["state"] == party.state
    assert set(tokens["scope"].split()) == {"openid", "email"}
    assert claims_of(tokens["id_token"])["nonce"] == party.nonce
    assert await consents(world, email) == ["email openid"]


async def test_the_query_of_a_page_chooses_no_other_client(world: World, party: Party) -> None:
    """AZ20."""
    other = await Party.registered(world, first_party=False)
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), await world.registered())
        form = form_of(page, "allow")
        for path in (f"/consent?request={'x' * 43}", f"/consent?client_id={other.client.client_id}"):
            answer = await browser.http.post(path, data=form.fields | {"decision": "allow"})
            assert answer.headers["location"].startswith(f"{party.redirect_uri}?code=")


@pytest.mark.parametrize("decision", ["", "ALLOW", "yes", "Deny", None])
async def test_what_is_no_decision_allows_nothing(world: World, party: Party, decision: str | None) -> None:
    """AZ19."""
    email = await world.registered()
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        fields = form_of(page, "allow").fields | ({} if decision is None else {"decision": decision})
        answer = await browser.follow(await browser.http.post("/consent", data=fields))

    assert asks(answer)
    assert await consents(world, email) == []


async def test_the_form_of_one_browser_is_not_sent_from_another(world: World, party: Party) -> None:
    """AZ19, SE12: even by the same user."""
    email = await world.registered()
    async with Browser(world) as browser, Browser(world) as other:
        page = await browser.sign_in(await browser.authorize(party), email)
        await other.signed_in(email)
        token = form_of(await other.get("/account/password")).fields["csrf_token"]
        form = form_of(page, "allow").fields | {"decision": "allow"}
        answers = [await other.http.post("/consent", data=form | it) for it in ({}, {"csrf_token": token})]

    assert [answer.status_code for answer in answers] == [403, 400]
    assert await consents(world, email) == []


async def test_consent_that_was_withdrawn_is_asked_for_again(world: World, party: Party) -> None:
    """AZ18: also by a request that was allowed before, and is still known."""
    email = await world.registered()
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        handle = form_of(page, "allow").fields["request"]
        await browser.submit(page, "allow")
        again = await browser.get("/continue", params={"request": handle})
        csrf = form_of(await browser.get("/account/applications")).fields
        await browser.http.post("/account/applications", data=csrf | {"client_id": party.client.client_id})
        after = await browser.follow(await browser.get("/continue", params={"request": handle}))
        new = await browser.authorize(party)

    assert "code" in answer_of(again)
    assert asks(after)
    assert asks(new)


@pytest.mark.parametrize("again", [False, True], ids=["withdrawn", "withdrawn and given anew"])
async def test_a_code_is_worth_nothing_once_its_consent_is_withdrawn(world: World, party: Party, again: bool) -> None:
    """AZ18: what is on its way to the client rests on the consent that it was issued with, and on no later one."""
    async with Browser(world) as browser:
        answer = await browser.authorized(party, await world.registered())
        csrf = form_of(await browser.get("/account/applications")).fields
        await browser.http.post("/account/applications", data=csrf | {"client_id": party.client.client_id})
        if again:
            await browser.submit(await browser.authorize(party.again()), "allow")
        refused = await party.redeem(answer["code"])

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert "password" not in refused.json()["error_description"]


async def test_a_code_outlives_a_consent_that_is_added_to(world: World, party: Party) -> None:
    """AZ18: allowing more in another tab takes nothing back."""
    async with Browser(world) as browser:
        answer = await browser.authorized(party, await world.registered(), scope="openid")
        await browser.submit(await browser.authorize(party.again(), scope="openid email"), "allow")
        redeemed = await party.redeem(answer["code"])

    assert redeemed.status_code == 200, redeemed.text


async def test_a_request_ends_half_an_hour_after_it_was_made_whatever_was_done_with_it(
    world: World, party: Party
) -> None:
    """AZ20: a step that is stored does not prolong it."""
    async with Browser(world) as browser:
        page = await browser.authorize(party)
        handle = form_of(page).fields["request"]
        key = await key_of(world, handle)
        await world.cache.set(key, aged(await world.cache.get(key), minutes=29), px=60_000)
        page = await browser.sign_in(page, await world.registered())
        left = await world.cache.pttl(key)
        await world.cache.pexpire(key, 0)
        answer = await browser.submit(page, "allow")

    assert asks(page)
    assert 0 < left <= 60_000
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


async def key_of(world: World, handle: str) -> str:
    key = f"ar:{digest_of(handle)}"
    assert await world.cache.exists(key)
    assert [it async for it in world.cache.scan_iter(match=f"*{handle}*")] == []
    return key


def aged(stored: bytes, *, minutes: int) -> bytes:
    request = json.loads(stored)
    made = datetime.fromisoformat(request["created_at"])
    return json.dumps(request | {"created_at": (made - timedelta(minutes=minutes)).isoformat()}).encode()


async def test_the_trail_tells_what_was_allowed(world: World, party: Party) -> None:
    """LG3."""
    email = await world.registered()
    async with Browser(world) as browser:
        await browser.authorized(party, email, scope="openid email")

    user_id = UUID(str(await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)))
    [event] = await world.events("consent_granted", user_id=user_id)
    assert (event["client_id"], event["detail"]["scope"]) == (party.client.client_id, "openid email")


async def test_what_was_allowed_to_a_client_ends_with_it_whoever_has_its_name_later(world: World, party: Party) -> None:
    """AZ18; Zitadel CVE-2026-55670."""
    email = await world.registered()
    async with Browser(world) as browser:
        await browser.authorized(party, email, scope="openid")
        client = await world.services.clients.present(party.client.client_id)
        assert client is not None
        await world.services.client_registration.remove(client.client_id)
        assert await world.services.clients.add(client)

        assert asks(await browser.authorize(party, scope="openid"))
