"""What a stranger, a client or another user could make of the end session endpoint (group N)."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from hosted import Browser, Party, button_of, claims_of, form_of
from leaving import OUT, SignedIn, asks, is_refused, signed_in
from world import World


def made(world: World, user: SignedIn, *, typ: str = "JWT", **changes: Any) -> str:
    """The user's ID token as this server would have made it with other claims; None leaves one out."""
    claims = {name: value for name, value in (claims_of(user.hint) | changes).items() if value is not None}
    return world.services.keys.sign(json.dumps(claims).encode(), typ=typ)


# Hints.


async def test_an_expired_hint_still_names_its_user(world: World) -> None:
    """LO3."""
    async with signed_in(world) as user:
        hint = made(world, user, exp=1_000_000, iat=999_000)
        done = await user.logout(id_token_hint=hint, post_logout_redirect_uri=OUT)

        assert done.headers["location"] == OUT
        assert not await user.is_signed_in()


async def test_a_hint_of_an_earlier_sign_in_of_the_user_ends_the_present_one(world: World) -> None:
    """LO3."""
    async with signed_in(world) as user:
        hint = user.hint
        await user.browser.submit(await user.browser.get("/logout"), "sign-out")
        await user.browser.authorized(user.party.again(), user.email)
        done = await user.logout(id_token_hint=hint, post_logout_redirect_uri=OUT)

        assert done.headers["location"] == OUT
        assert not await user.is_signed_in()


async def test_a_hint_of_another_user_signs_nobody_out_unasked(world: World) -> None:
    """LO4."""
    async with signed_in(world) as user, signed_in(world) as other:
        page = await user.logout(id_token_hint=other.hint, post_logout_redirect_uri=OUT)

        assert asks(page)
        assert await user.is_signed_in()
        done = await user.browser.submit(page, "sign-out")
        assert done.headers["location"] == OUT
        assert not await user.is_signed_in()
        assert await other.is_signed_in()
        assert not await other.is_dead()


async def test_a_post_with_a_hint_of_another_user_signs_nobody_out_unasked(world: World) -> None:
    """LO4: whoever makes a victim's browser send its own hint."""
    async with signed_in(world) as user, signed_in(world) as attacker:
        sent = await world.http.post("/oauth2/logout", data={"id_token_hint": attacker.hint})

        assert asks(await user.browser.get(sent.headers["location"]))
        assert await user.is_signed_in()


async def test_what_is_no_id_token_of_this_server_is_no_hint(world: World) -> None:
    """LO2, LO4, TE18: however much it looks like one."""
    async with signed_in(world) as user:
        claims, header = claims_of(user.hint), jwt.get_unverified_header(user.hint)
        forged = {
            "unsigned": jwt.encode(claims, "", "none", headers={"kid": header["kid"], "typ": "JWT"}),
            "with a secret": jwt.encode(claims, "s" * 32, "HS256", headers=header | {"alg": "HS256"}),
            "an access token": user.tokens["access_token"],
            "a refresh token": user.tokens["refresh_token"],
            "a logout token": made(world, user, typ="logout+jwt"),
            "of another type": made(world, user, typ="at+jwt"),
            "of another issuer": made(world, user, iss="https://other.example"),
            "without a user": made(world, user, sub=None),
            "without a client": made(world, user, aud=None),
            "for two clients": made(world, user, aud=[user.client_id, "other"]),
        }
        for kind, hint in forged.items():
            assert is_refused(await user.logout(id_token_hint=hint)), kind
        assert await user.is_signed_in()


# A browser that has lost its cookie.


async def test_without_a_cookie_the_hint_ends_the_session_that_it_names(world: World) -> None:
    """LO11, Keycloak CVE-2025-12390: with the sign-in that it hangs on, and nothing else of anybody."""
    async with (
        signed_in(world) as user,
        signed_in(world, email=user.email) as elsewhere,
        signed_in(world) as other,
        Browser(world) as empty,
    ):
        parameters = {"id_token_hint": user.hint, "post_logout_redirect_uri": OUT}
        done = await empty.get("/oauth2/logout", params=parameters)

        assert done.headers["location"] == OUT
        assert await user.is_dead()
        assert not await user.is_signed_in()
        assert not await elsewhere.is_dead()
        assert await elsewhere.is_signed_in()
        assert not await other.is_dead()


async def test_who_signs_in_after_somebody_else_loses_nothing_by_the_others_hint(world: World) -> None:
    """LO11."""
    async with signed_in(world) as first:
        second = await world.registered()
        first.browser.http.cookies.clear()
        await first.browser.signed_in(second)
        page = await first.logout(id_token_hint=first.hint)

        assert asks(page)
        assert (await first.browser.get("/login")).status_code == 303  # to the account


async def test_a_session_that_outlived_its_sign_in_is_ended_by_its_hint(world: World) -> None:
    """LO11: another user has signed in in the same browser meanwhile, and out again."""
    async with signed_in(world) as first:
        page = await first.browser.authorize(first.party.again(), prompt="login")
        await first.browser.sign_in(page, await world.registered())
        await first.browser.submit(await first.browser.get("/logout"), "sign-out")
        assert not await first.is_dead()
        await first.logout(id_token_hint=first.hint)

        assert await first.is_dead()


@pytest.mark.parametrize("sid", [None, "x", "", "'; --", "513c942e-1916-46b6-b437-9764bfed79c5"])
async def test_a_hint_that_names_no_session_ends_none(world: World, sid: str | None) -> None:
    """LO11."""
    async with signed_in(world) as user, Browser(world) as empty:
        hint = made(world, user, sid=sid)
        done = await empty.get("/oauth2/logout", params={"id_token_hint": hint})

        assert done.status_code == 200
        assert not await user.is_dead()
        assert await user.is_signed_in()


async def test_a_session_is_ended_for_its_own_user_only(world: World) -> None:
    """LO11: even if a token named one user and the session of another."""
    async with signed_in(world) as user, signed_in(world) as other, Browser(world) as empty:
        hint = made(world, user, sid=claims_of(other.hint)["sid"])
        await empty.get("/oauth2/logout", params={"id_token_hint": hint})

        assert not await other.is_dead()


async def test_a_hint_of_a_session_that_is_over_ends_nothing_else(world: World) -> None:
    """LO11: its sign-in goes on."""
    async with signed_in(world) as user, Browser(world) as empty:
        bearer = {"Authorization": f"Bearer {user.tokens['access_token']}"}
        await world.http.delete(f"/auth/sessions/{claims_of(user.hint)['sid']}", headers=bearer)
        await empty.get("/oauth2/logout", params={"id_token_hint": user.hint})

        assert await user.is_signed_in()


# Where the browser is sent.


MUTATIONS = [
    f"{OUT}/",
    f"{OUT}?",
    f"{OUT}?x=1",
    f"{OUT}#",
    f"{OUT}#f",
    f"{OUT} ",
    f" {OUT}",
    f"{OUT}\t",
    f"{OUT}%00",
    f"{OUT}%2f",
    f"{OUT}/..",
    f"{OUT}/../signed-out",
    f"{OUT};x",
    f"{OUT}\\",
    "https://app.example",
    "https://app.example/",
    "https://app.example//signed-out",
    "https://app.example/./signed-out",
    "https://app.example/x/../signed-out",
    "https://app.example/..;/signed-out",
    "https://app.example/Signed-out",
    "https://app.example/signed%2Dout",
    "https://app.example/signed-ou",
    "https://app.example/signed-out2",
    "https://APP.example/signed-out",
    "HTTPS://app.example/signed-out",
    "http://app.example/signed-out",
    "https://app.example:443/signed-out",
    "https://app.example:8443/signed-out",
    "https://app.example./signed-out",
    "https://app.example.evil.example/signed-out",
    "https://evil.app.example/signed-out",
    "https://evilapp.example/signed-out",
    "https://app.example@evil.example/signed-out",
    "https://evil@app.example/signed-out",
    "https://app。example/signed-out",
    "https://аpp.example/signed-out",
    "//app.example/signed-out",
    "///app.example/signed-out",
    "/signed-out",
    "/\\app.example/signed-out",
    "https:app.example/signed-out",
    "https:/app.example/signed-out",
    "https://app.example\\@evil.example/signed-out",
    "javascript:alert(1)",
    "data:text/html,x",
    f"{OUT},https://evil.example/",
    f"{OUT} https://evil.example/",
    "*",
    "https://*.example/signed-out",
]


@pytest.fixture(scope="module")
async def party(world: World) -> Party:
    return await Party.registered(world, post_logout_redirect_uris=(OUT,))


@pytest.mark.parametrize("uri", MUTATIONS)
async def test_a_redirect_uri_is_compared_exactly(world: World, party: Party, uri: str) -> None:
    """RU8, LO5."""
    parameters = {"client_id": party.client.client_id, "post_logout_redirect_uri": uri}
    by_query = await world.http.get("/oauth2/logout", params=parameters)
    by_form = await world.http.post("/oauth2/logout", data=parameters)

    assert is_refused(by_query)
    assert is_refused(by_form)


async def test_the_redirect_uri_of_another_client_is_refused(world: World) -> None:
    """LO5."""
    theirs = "https://other.example/signed-out"
    async with signed_in(world) as user, signed_in(world, post_logout_redirect_uris=(theirs,)) as other:
        for parameters in (
            {"id_token_hint": user.hint, "post_logout_redirect_uri": theirs},
            {"client_id": user.client_id, "post_logout_redirect_uri": theirs},
            {"id_token_hint": user.hint, "client_id": other.client_id, "post_logout_redirect_uri": theirs},
            {"id_token_hint": user.hint, "client_id": other.client_id},
            {"id_token_hint": user.hint, "client_id": "nobody", "post_logout_redirect_uri": OUT},
            {"client_id": "nobody"},
            {"post_logout_redirect_uri": OUT},
        ):
            assert is_refused(await user.logout(**parameters)), parameters
        assert await user.is_signed_in()


async def test_a_redirect_uri_for_signing_in_is_none_for_signing_out(world: World) -> None:
    """LO5, RU8."""
    async with signed_in(world, post_logout_redirect_uris=()) as user:
        parameters = {"id_token_hint": user.hint, "post_logout_redirect_uri": user.party.redirect_uri}

        assert is_refused(await user.logout(**parameters))


async def test_a_disabled_client_leads_nowhere_and_its_users_can_still_sign_out(world: World) -> None:
    """LO5."""
    async with signed_in(world) as user:
        await world.changed_client(user.party.client, enabled=False)
        refused = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=OUT)
        done = await user.logout(id_token_hint=user.hint)

        assert is_refused(refused)
        assert "You are signed out" in done.text


async def test_a_port_of_a_native_client_is_as_registered_too(world: World) -> None:
    """RU8: what signing in may vary (RFC 8252), signing out may not."""
    uri = "http://127.0.0.1:5000/out"
    party = await Party.registered(world, post_logout_redirect_uris=(uri,), application_type="native")
    parameters = {"client_id": party.client.client_id, "post_logout_redirect_uri": uri.replace("5000", "5001")}

    assert is_refused(await world.http.get("/oauth2/logout", params=parameters))


async def test_the_request_stands_in_no_address_and_no_field(world: World) -> None:
    async with signed_in(world) as user:
        parameters = {"client_id": user.client_id, "post_logout_redirect_uri": OUT, "state": "a-state"}
        sent = await user.browser.get("/oauth2/logout", params=parameters)
        page = await user.browser.follow(sent)

        query = parse_qs(urlsplit(sent.headers["location"]).query)
        assert query.keys() == {"request"}
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["request"][0])
        assert form_of(page).fields.keys() == {"csrf_token", "request"}
        assert "a-state" not in page.text
        assert await world.cache.get(f"lr:{query['request'][0]}") is None


# Requests that are none.


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "extra"])
async def test_a_repeated_parameter_is_refused(world: World, name: str) -> None:
    async with signed_in(world) as user:
        given = {"id_token_hint": user.hint, "client_id": user.client_id, "state": "s", "extra": "x"}
        given["post_logout_redirect_uri"] = OUT
        pairs = [*given.items(), (name, given[name])]

        assert is_refused(await user.browser.get("/oauth2/logout", params=pairs))
        assert is_refused(await user.browser.http.post("/oauth2/logout", data={**given, name: [given[name]] * 2}))
        assert await user.is_signed_in()


@pytest.mark.parametrize("query", ["a=%ff", "a=%00", "&".join(f"p{n}=1" for n in range(60)), f"state={'a' * 5000}"])
async def test_a_query_that_cannot_be_read_is_refused(world: World, query: str) -> None:
    assert is_refused(await world.http.get(f"/oauth2/logout?{query}"))


# Cross-site requests.


async def test_a_get_signs_nobody_out(world: World) -> None:
    """LO10, SE10: whatever image or link leads there."""
    async with signed_in(world) as user:
        for path in ("/logout", "/oauth2/logout", f"/oauth2/logout?client_id={user.client_id}"):
            assert asks(await user.browser.follow(await user.browser.get(path)))
        assert (await user.browser.get("/auth/logout")).status_code == 405
        assert await user.is_signed_in()


@pytest.mark.parametrize("path", ["/logout", "/oauth2/logout"])
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(world: World, method: str, path: str) -> None:
    """LO10."""
    async with signed_in(world) as user:
        answer = await user.browser.http.request(method, path, params={"id_token_hint": user.hint})

        assert answer.status_code == 405
        assert await user.is_signed_in()


async def test_only_our_own_form_signs_out(world: World) -> None:
    """SE6, SE8: not without its token, with that of another session, or from another site."""
    async with signed_in(world) as user, signed_in(world) as other:
        page = await user.browser.get("/logout")
        fields = form_of(page).fields | button_of(page, "sign-out")
        theirs = form_of(await other.browser.get("/logout")).fields
        attempts: list[tuple[dict[str, str], dict[str, str]]] = [
            ({}, {}),
            (fields | {"csrf_token": ""}, {}),
            (fields | {"csrf_token": theirs["csrf_token"]}, {}),
            (fields, {"Origin": "https://evil.example"}),
            (fields, {"Origin": "null"}),
            (fields, {"Sec-Fetch-Site": "cross-site"}),
            (fields, {"Sec-Fetch-Site": "same-site"}),
        ]
        for data, headers in attempts:
            answer = await user.browser.http.post("/logout", data=data, headers=headers)
            assert answer.status_code == 403, (data, headers)
        assert await user.is_signed_in()
        assert (await user.browser.submit(page, "sign-out")).status_code == 200
        assert not await user.is_signed_in()


async def test_a_handle_is_of_use_in_its_own_browser_only(world: World) -> None:
    """SE12."""
    async with signed_in(world) as user, signed_in(world) as thief:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=OUT)
        handle = form_of(page).fields["request"]

        assert is_refused(await thief.browser.get("/logout", params={"request": handle}))
        own = await thief.browser.get("/logout")
        done = await thief.browser.submit(own, "sign-out", request=handle)
        assert "location" not in done.headers
        assert await user.is_signed_in()
        assert (await user.browser.submit(page, "sign-out")).headers["location"] == OUT


async def test_the_first_browser_that_follows_a_post_keeps_the_handle(world: World) -> None:
    """SE12."""
    async with signed_in(world) as user, signed_in(world) as thief:
        sent = await world.http.post("/oauth2/logout", data={"client_id": user.client_id})
        assert asks(await user.browser.get(sent.headers["location"]))

        assert is_refused(await thief.browser.get(sent.headers["location"]))


@pytest.mark.parametrize("handle", ["x", "", "a" * 5000, "%00", "../x"])
async def test_a_handle_that_stands_for_nothing_is_refused_or_ignored(world: World, handle: str) -> None:
    async with Browser(world) as browser:
        answer = await browser.get("/logout", params={"request": handle})

    assert answer.status_code == (400 if handle else 200)


async def test_requests_that_race_a_logout_do_not_bring_the_session_back(world: World) -> None:
    """SE17."""
    async with signed_in(world) as user:
        kept = {"Cookie": f"idp-session={user.browser.cookie('idp-session')}"}
        racing = [world.http.get("/logout", headers=kept) for _ in range(40)]
        await asyncio.gather(user.logout(id_token_hint=user.hint), *racing)
        after = await world.http.get("/logout", headers=kept)

        assert "You are signed out" in after.text


async def test_the_pages_are_kept_by_nobody_and_framed_by_nobody(world: World) -> None:
    """SE18, HD6."""
    async with signed_in(world) as user:
        page = await user.logout()
        done = await user.browser.submit(page, "sign-out")

        for answer in (page, done):
            assert answer.headers["cache-control"] == "no-store"
            assert "Cookie" in answer.headers["vary"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
