"""Bearer tokens with the server's own signature and claims that it never wrote (RFC 8725; catalogue group K)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from forger import Forger, forger_of, refused
from world import Tokens, World


@pytest.fixture(scope="module")
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


@pytest.fixture(scope="module")
async def forger(world: World, tokens: Tokens) -> Forger:
    return await forger_of(world, tokens)


async def test_a_token_ends(world: World, forger: Forger) -> None:
    """JW6, JW22, T13: with a leeway of half a minute for clocks that differ."""
    now = int(time.time())

    assert (await world.profile(forger.with_claims(exp=now - 20))).status_code == 200
    assert await refused(world, forger.with_claims(exp=now - 40))


@pytest.mark.parametrize(
    "exp", [None, 0, -1, "9999999999", "", True, False, [9999999999], {}, float("nan"), float("inf"), float("-inf")]
)
async def test_an_end_must_be_a_number_to_come(world: World, forger: Forger, exp: Any) -> None:
    """JW6: joserfc takes a token without `exp` unless it is told otherwise."""
    assert await refused(world, forger.with_claims(exp=exp))


async def test_what_begins_later_is_refused_now(world: World, forger: Forger) -> None:
    """JW6."""
    later = int(time.time()) + 600

    assert await refused(world, forger.with_claims(nbf=later))
    assert await refused(world, forger.with_claims(iat=later))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "jti", "sid"])
async def test_no_claim_that_is_relied_on_may_be_missing(world: World, forger: Forger, claim: str) -> None:
    """T13, JW10."""
    assert await refused(world, forger.with_claims(**{claim: None}))


@pytest.mark.parametrize(
    "spell", [lambda it: it + "/", lambda it: it[:-1], str.upper, lambda it: [it], lambda it: "x" + it, bool]
)
@pytest.mark.parametrize("claim", ["iss", "aud"])
async def test_issuer_and_audience_are_compared_exactly(
    world: World, forger: Forger, claim: str, spell: Callable[[str], Any]
) -> None:
    """
    JW7, JW8; joserfc CVE-2026-75509, PyJWT CVE-2024-53861, Authlib PYSEC-2026-4358, Apache CXF CVE-2026-50627.

    A list of audiences that has ours in it is a token for us.
    """
    value = spell(world.settings.issuer)
    token = forger.with_claims(**{claim: value})

    if claim == "aud" and isinstance(value, list):
        assert (await world.profile(token)).status_code == 200
    else:
        assert await refused(world, token)


@pytest.mark.parametrize("sid", ["", "x", 1, ["a"], "00000000-0000-4000-8000-000000000000", "\ud800", "0" * 5000])
async def test_a_session_that_is_none_is_refused(world: World, forger: Forger, sid: Any) -> None:
    assert await refused(world, forger.with_claims(sid=sid))


@pytest.mark.parametrize("sub", ["", 1, ["a"], "00000000-0000-4000-8000-000000000000", {}])
async def test_a_subject_other_than_the_sessions_is_refused(world: World, forger: Forger, sub: Any) -> None:
    assert await refused(world, forger.with_claims(sub=sub))


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"x"', b"1", b"{", b"\xff", b"\xff\xfe{\0}\0", b"[" * 9000])
async def test_claims_are_an_object(world: World, forger: Forger, payload: bytes) -> None:
    assert await refused(world, forger.signed(claims=payload))


async def test_a_clients_own_token_is_nobodys_profile(world: World) -> None:
    """UI6."""
    client = await world.client()
    answer = await world.token(client.auth, grant_type="client_credentials")

    assert await refused(world, answer.json()["access_token"])
