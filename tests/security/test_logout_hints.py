"""What a stranger, a client or another user could make of hints at the end session endpoint (group N)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from hosted import Browser, answer_of, claims_of
from leaving import OUT, SignedIn, asks, signed_in
from world import World

from idp.bootstrap import key_files, now
from idp.domain.operation.signing_keys import ALGORITHMS
from idp.gateways.key_files import KeyFiles
from idp.services.sessions.logout_tokens import TYPE as LOGOUT_TOKEN


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
    """LO2, LO4, TE18: however much it looks like one. Nobody is signed out unasked, and nothing says who asks."""
    async with signed_in(world, userinfo_signed_response_alg="RS256") as user:
        claims, header = claims_of(user.hint), jwt.get_unverified_header(user.hint)
        told = await world.http.get(
            "/oauth2/userinfo", headers={"Authorization": f"Bearer {user.tokens['access_token']}"}
        )
        forged = {
            "unsigned": jwt.encode(claims, "", "none", headers={"kid": header["kid"], "typ": "JWT"}),
            "with a secret": jwt.encode(claims, "s" * 32, "HS256", headers=header | {"alg": "HS256"}),
            "an access token": user.tokens["access_token"],
            "a refresh token": user.tokens["refresh_token"],
            "userinfo": told.text,
            "userinfo of an ID token's type": made(world, user, exp=None, iat=None),
            "a logout token": made(world, user, typ="logout+jwt"),
            "of another type": made(world, user, typ="at+jwt"),
            "of another issuer": made(world, user, iss="https://other.example"),
            "without a user": made(world, user, sub=None),
            "without a client": made(world, user, aud=None),
            "for two clients": made(world, user, aud=[user.client_id, "other"]),
            "without an end": made(world, user, exp=None),
            "without a beginning": made(world, user, iat=None),
            "with an end that is none": made(world, user, exp="never"),
            "with a beginning that is none": made(world, user, iat=True),
        }
        for kind, hint in forged.items():
            page = await user.logout(id_token_hint=hint)
            assert asks(page), kind
            assert "asks to sign you out" not in page.text, kind
        assert await user.is_signed_in()


async def test_every_jwt_of_this_server_says_what_it_is(world: World) -> None:
    """TE18, JW9, LO8: no two kinds have one type."""
    async with signed_in(world, userinfo_signed_response_alg="RS256") as user:
        bearer = {"Authorization": f"Bearer {user.tokens['access_token']}"}
        told = (await world.http.get("/oauth2/userinfo", headers=bearer)).text

    types = [jwt.get_unverified_header(token)["typ"] for token in (user.hint, user.tokens["access_token"], told)]
    assert [*types, LOGOUT_TOKEN] == ["JWT", "at+jwt", "userinfo+jwt", "logout+jwt"]


# A browser that has lost its cookie.


async def test_without_a_cookie_the_hint_ends_the_session_that_it_names_once_the_user_agrees(world: World) -> None:
    """LO11, Keycloak CVE-2025-12390: with the sign-in that it hangs on, and nothing else of anybody."""
    async with (
        signed_in(world) as user,
        signed_in(world, email=user.email) as elsewhere,
        signed_in(world) as other,
        Browser(world) as empty,
    ):
        parameters = {"id_token_hint": user.hint, "post_logout_redirect_uri": OUT}
        page = await empty.follow(await empty.get("/oauth2/logout", params=parameters))
        assert asks(page)
        assert not await user.is_dead()
        done = await empty.submit(page, "sign-out")

        assert done.headers["location"] == OUT
        assert await user.is_dead()
        assert not await user.is_signed_in()
        assert not await elsewhere.is_dead()
        assert await elsewhere.is_signed_in()
        assert not await other.is_dead()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_id_token_alone_ends_nothing(world: World, method: str) -> None:
    """LO4, LO10, LO11: it has passed through many hands, and says nothing of who sends it."""
    async with signed_in(world) as user, Browser(world) as empty:
        hints = [user.hint, made(world, user, exp=1_000_000, iat=999_000)]
        for hint in hints:
            sent = {"params": {"id_token_hint": hint}} if method == "GET" else {"data": {"id_token_hint": hint}}
            page = await empty.follow(await empty.http.request(method, "/oauth2/logout", **sent))
            assert asks(page)
            assert user.email not in page.text
            assert asks(await empty.get(str(page.url)))
        stayed = await empty.submit(page, "stay")

        assert 'id="sign-in"' in stayed.text
        assert not await user.is_dead()
        assert await user.is_signed_in()


async def test_with_a_hint_of_a_session_that_is_over_nobody_is_asked(world: World) -> None:
    """LO11: there is nothing that could end."""
    async with signed_in(world) as user, Browser(world) as empty:
        await user.logout(id_token_hint=user.hint)
        done = await empty.get(
            "/oauth2/logout", params={"id_token_hint": user.hint, "post_logout_redirect_uri": OUT, "state": "s"}
        )

        assert (done.status_code, done.headers["location"]) == (303, f"{OUT}?state=s")


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
        page = await first.logout(id_token_hint=first.hint)
        assert not await first.is_dead()
        await first.browser.submit(page, "sign-out")

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
        done = await empty.get("/oauth2/logout", params={"id_token_hint": hint})

        assert "You are signed out" in done.text
        assert not await other.is_dead()


async def test_a_hint_of_a_session_that_is_over_ends_nothing_else(world: World) -> None:
    """LO11: its sign-in goes on."""
    async with signed_in(world) as user, Browser(world) as empty:
        rest = await world.signed_in(email=user.email)
        await world.call("DELETE", f"/auth/sessions/{claims_of(user.hint)['sid']}", rest)
        done = await empty.get("/oauth2/logout", params={"id_token_hint": user.hint})

        assert "You are signed out" in done.text
        assert await user.is_signed_in()


# A key that has left the JWKS.


@pytest.mark.parametrize(
    ("algorithm", "compromised"), [*((algorithm, False) for algorithm in ALGORITHMS), ("EdDSA", True)]
)
async def test_a_hint_outlives_its_key_unless_that_has_leaked(
    world: World, keys: KeyFiles, algorithm: str, compromised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LO2, LO3, AZ14, JW17: a browser session lives longer than a key is published, and so does the wish to sign out."""
    keys.provide([algorithm])
    async with signed_in(world) as user:
        hint = keys.sign(json.dumps(claims_of(user.hint)).encode(), typ="JWT", algorithm=algorithm)
        kid = jwt.get_unverified_header(hint)["kid"]
        keys.retire(kid, compromised=compromised)
        monkeypatch.setattr(keys, "_now", lambda: now() + timedelta(days=29))
        assert kid not in {jwk["kid"] for jwk in keys.published()}

        silent = answer_of(await user.browser.authorize(user.party.again(), id_token_hint=hint, prompt="none"))
        page = await user.logout(id_token_hint=hint, post_logout_redirect_uri=OUT)

        assert "code" in silent
        assert asks(page) if compromised else page.headers["location"] == OUT
        assert await user.is_signed_in() is compromised


@pytest.mark.parametrize("longest", ["session_ttl", "session_remembered"])
async def test_hints_are_trusted_for_as_long_as_the_longest_sign_in(world: World, tmp_path: Path, longest: str) -> None:
    """LO3: as the settings have it."""
    settings = replace(world.settings, keys_dir=tmp_path / "keys", **{longest: timedelta(days=60)})
    keys = key_files(settings)
    made = keys.rotate("EdDSA").kid
    keys.retire(made)
    trusted = []
    for days in (59, 61):
        vars(keys)["_now"] = lambda days=days: now() + timedelta(days=days)
        trusted.append(made in {jwk["kid"] for jwk in keys.trusted_for_hints()})

    assert trusted == [True, False]


@pytest.fixture
def keys(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFiles:
    """Of a folder of its own, by which the world's server verifies hints."""
    keys = key_files(replace(world.settings, keys_dir=tmp_path / "keys"))
    monkeypatch.setattr(world.services.keys, "trusted_for_hints", keys.trusted_for_hints)
    return keys
