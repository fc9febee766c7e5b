"""Authorization codes: made of chance, for a minute, for one use by who asked for them (AZ21 to AZ24, TE6 to TE9, TE18, TE23)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hosted import Browser, Party, claims_of, form_of
from world import PASSWORD, World

from idp.domain.tokens.authorization_codes import AuthorizedGrant


def grant(**changes: object) -> AuthorizedGrant:
    given: dict[str, object] = {
        "client_id": "c", "redirect_uri": None, "code_challenge": None, "nonce": None, "scope": "openid", "audience": None,
        "requested_claims": None, "user_id": uuid4(), "auth_epoch": 0, "auth_time": datetime.now(UTC), "amr": ("pwd",),
        "browser_session_id": uuid4(),
    }  # fmt: skip
    return AuthorizedGrant(**given | changes)  # type: ignore[arg-type]


async def code_of(world: World, party: Party) -> str:
    async with Browser(world) as browser:
        return (await browser.authorized(party, await world.registered()))["code"]


def key_of(code: str) -> str:
    return f"ac:{hashlib.sha256(code.encode()).hexdigest()}"


def is_invalid_grant(answer: httpx.Response) -> bool:
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code == 400 and answer.json()["error"] == "invalid_grant"


async def test_a_thousand_codes_are_256_random_bits_each(world: World) -> None:
    """AZ21, SE2: more than 96 bits by their letters alone."""
    codes = [await world.services.hosted.authorization.codes.issue(grant()) for _ in range(1000)]

    counts = Counter("".join(codes))
    total = sum(counts.values())
    bits = -sum(count / total * math.log2(count / total) for count in counts.values())
    assert {len(base64.urlsafe_b64decode(f"{code}=")) for code in codes} == {32}
    assert len({code[:12] for code in codes}) == 1000
    assert bits * 43 > 250
    assert len(counts) == 64


async def test_no_store_holds_a_code(world: World) -> None:
    """AZ21: a copy of the store redeems nothing."""
    party = await Party.registered(world)
    code = await code_of(world, party)

    assert await world.cache.exists(key_of(code))
    assert [key async for key in world.cache.scan_iter(match=f"*{code}*")] == []
    assert code.encode() not in b"".join((await world.cache.hgetall(key_of(code))).values())


async def test_a_code_ends_after_a_minute(world: World) -> None:
    """AZ22."""
    party = await Party.registered(world)
    code = await code_of(world, party)
    assert 0 < await world.cache.pttl(key_of(code)) <= 60_000

    await world.cache.pexpire(key_of(code), 0)

    assert is_invalid_grant(await party.redeem(code))


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_the_way_back_repeats_no_password_and_leaks_no_code(world: World, mode: str) -> None:
    """AZ23, AZ24: RFC 9700, section 4.12."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        page = await browser.authorize(party, response_mode=mode)
        form = form_of(page)
        posted = await browser.http.post(form.action, data=form.fields | {"email": email, "password": PASSWORD})
        answer = await browser.follow(posted)

    assert posted.status_code == 303
    assert answer.status_code == (200 if mode == "form_post" else 303)
    for it in (posted, answer):
        assert it.headers["cache-control"] == "no-store"
        assert it.headers["referrer-policy"] == "no-referrer"
        assert it.request.method == ("POST" if it is posted else "GET")
        assert PASSWORD not in it.text + it.headers.get("location", "")


async def test_a_code_is_its_clients_and_another_client_burns_it(world: World) -> None:
    """TE6; Zitadel CVE-2026-55672."""
    party, other = await Party.registered(world), await Party.registered(world, public=False)
    code = await code_of(world, party)

    stolen = await world.token(
        other.client.auth,
        grant_type="authorization_code",
        code=code,
        redirect_uri=party.redirect_uri,
        code_verifier=party.verifier,
    )

    assert is_invalid_grant(stolen)
    assert is_invalid_grant(await party.redeem(code))


async def test_who_does_not_prove_to_be_the_client_burns_no_code(world: World) -> None:
    """TE23."""
    party = await Party.registered(world, public=False)
    code = await code_of(world, party)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": party.redirect_uri}
    fields["code_verifier"] = party.verifier

    refused = [
        await world.token(httpx.BasicAuth(party.client.client_id, "wrong"), **fields),
        await world.token(httpx.BasicAuth("nobody", "wrong"), **fields),
        await world.token(None, client_id=party.client.client_id, **fields),
        await world.token(None, **fields),
    ]
    wrong_code = await world.token(httpx.BasicAuth(party.client.client_id, "wrong"), **fields | {"code": "x"})

    assert {answer.status_code for answer in refused} == {401}
    assert refused[0].json() == wrong_code.json()
    assert (await party.redeem(code)).status_code == 200


def winners(answers: list[httpx.Response]) -> list[dict[str, Any]]:
    """One at most: none if its session had ended before its tokens were there. The others are told that the code is spent."""
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) <= 1
    assert sum(map(is_invalid_grant, answers)) == len(answers) - len(won)
    return won


async def test_of_200_redemptions_at_once_one_at_most_succeeds_and_the_code_is_known_to_be_stolen(world: World) -> None:
    """TE8, TE9: whoever of the 200 came first, what was issued is worth nothing in the end."""
    party = await Party.registered(world)
    code = await code_of(world, party)

    answers = await asyncio.gather(*(party.redeem(code) for _ in range(200)))

    for tokens in winners(answers):
        assert (await world.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("round_", range(20))
async def test_of_two_at_once_one_at_most_succeeds_and_its_session_ends(world: World, round_: int) -> None:
    """TE8, TE9: also when the second use comes while the first is still being stored."""
    party = await Party.registered(world)
    code = await code_of(world, party)

    answers = await asyncio.gather(party.redeem(code), party.redeem(code))

    for tokens in winners(answers):
        assert (await world.userinfo(tokens["access_token"])).status_code == 401
        assert is_invalid_grant(await party.refresh(tokens["refresh_token"]))


@pytest.mark.parametrize("by", ["its client", "without verifier", "another client"])
async def test_a_code_that_comes_again_ends_what_came_of_it(world: World, by: str) -> None:
    """TE9: RFC 6749, section 4.1.2; Keycloak CVE-2026-96446."""
    party, resource = await Party.registered(world), await world.client()
    code = await code_of(world, party)
    tokens = (await party.redeem(code)).json()
    assert (await world.userinfo(tokens["access_token"])).status_code == 200

    thief = await Party.registered(world) if by == "another client" else party
    replay = await thief.redeem(code, **{"code_verifier": None} if by == "without verifier" else {})

    assert is_invalid_grant(replay)
    assert (await world.userinfo(tokens["access_token"])).status_code == 401
    assert is_invalid_grant(await party.refresh(tokens["refresh_token"]))
    state = await world.http.post("/oauth2/introspect", data={"token": tokens["access_token"]}, auth=resource.auth)
    assert state.json() == {"active": False}
    sid = claims_of(tokens["access_token"])["sid"]
    assert len(await world.events("code_reused", session_id=sid)) == 1


async def test_what_is_no_code_is_no_code(world: World) -> None:
    """TE18, TE19; Keycloak CVE-2026-4282, Zitadel CVE-2026-27840."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        fields = form_of(page).fields
        cookies = [browser.cookie(name) or "" for name in ("idp-session", "idp-browser")]
        code = (await browser.authorized(party, email))["code"]
    tokens = await world.signed_in(email=email)
    await world.post("/auth/forgot-password", email=email)
    mailed = (await world.mail(email, "Reset")).token
    others = [tokens.refresh_token, tokens.access_token, mailed, fields["request"], fields["csrf_token"], *cookies]
    respelled = [
        code[:-1],
        f"{code}A",
        code.swapcase(),
        f" {code}",
        f"{code}=",
        key_of(code),
        key_of(code)[3:],
        "é",
        "x" * 5000,
    ]

    answers = [await party.redeem(it) for it in others + respelled]

    assert all(map(is_invalid_grant, answers))
    assert (await party.redeem(code)).status_code == 200


async def test_a_code_is_nothing_else(world: World) -> None:
    """TE18: neither handle, nor cookie, nor token of a mail, nor refresh token."""
    party = await Party.registered(world)
    code = await code_of(world, party)

    async with Browser(world) as browser:
        browser.http.cookies.set("idp-session", code)
        account = await browser.get("/account")
        handle = await browser.get("/continue", params={"request": code})
    refreshed = await party.refresh(code)
    reset = await world.post("/auth/reset-password", token=code, newPassword="Another-Pass-8")

    assert account.headers["location"] == "/login"
    assert (handle.status_code, refreshed.status_code, reset.status_code) == (400, 400, 400)
    assert (await party.redeem(code)).status_code == 200


@pytest.mark.parametrize("field", ["code", "code_verifier", "redirect_uri"])
@pytest.mark.parametrize(
    "text", ["\ud800".encode("utf-8", "surrogatepass"), b"\0", b"\xff", b"x" * 70_000, "😀".encode()]
)
async def test_no_bytes_in_a_field_are_an_error_of_the_server(world: World, field: str, text: bytes) -> None:
    """TE22."""
    party = await Party.registered(world)
    quoted = "".join(f"%{byte:02x}" for byte in text) if len(text) < 10 else text.decode()
    body = f"grant_type=authorization_code&client_id={party.client.client_id}&{field}={quoted}"
    body += "" if field == "code" else "&code=x"

    answer = await world.http.post(
        "/oauth2/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code in (400, 413)
    assert re.fullmatch(r"invalid_(request|grant)|payload_too_large|request_too_large", answer.json()["error"])


async def test_userinfo_is_about_the_user_of_the_id_token(world: World) -> None:
    """UI4, TE20, Authlib CVE-2026-28498: `at_hash` binds the access token to the ID token."""
    party = await Party.registered(world)
    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered())

    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    told = (await world.http.get("/oauth2/userinfo", headers=bearer)).json()

    claims = claims_of(tokens["id_token"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert told["sub"] == claims["sub"] == claims_of(tokens["access_token"])["sub"]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
