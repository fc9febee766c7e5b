"""What a stranger, a client or another user could make of hints at the end session endpoint (group N)."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hosted import Browser, claims_of
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
        rest = await world.signed_in(email=user.email)
        await world.call("DELETE", f"/auth/sessions/{claims_of(user.hint)['sid']}", rest)
        await empty.get("/oauth2/logout", params={"id_token_hint": user.hint})

        assert await user.is_signed_in()
