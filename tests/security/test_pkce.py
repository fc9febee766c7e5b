"""Proof Key for Code Exchange (RFC 7636): the group PK."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import inspect
import secrets

import pytest
from hosted import Browser, Party, answer_of, challenge_of
from world import World

from idp.services.tokens import authorization_codes

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


async def code_of(world: World, party: Party, **changes: str | None) -> str:
    async with Browser(world) as browser:
        return (await browser.authorized(party, await world.registered(), **changes))["code"]


async def error_of(world: World, party: Party, **changes: str | None) -> str:
    answer = await world.http.get("/oauth2/authorize", params=party.request(**changes))
    return answer_of(answer).get("error", "")


@pytest.mark.parametrize("properties", [{"public": True}, {"public": True, "require_pkce": False}, {"public": False}])
async def test_a_client_that_needs_a_challenge_gets_no_code_without(world: World, properties: dict[str, bool]) -> None:
    """PK1; authentik CVE-2023-48228."""
    party = await Party.registered(world, **properties)

    error = await error_of(world, party, code_challenge=None, code_challenge_method=None)

    assert error == "invalid_request"


@pytest.mark.parametrize("method", [None, "plain", "s256", "S512", "S256 ", "none"])
async def test_only_s256_is_a_method(world: World, method: str | None) -> None:
    """PK2, PK3: left out it would mean plain."""
    party = await Party.registered(world)

    assert await error_of(world, party, code_challenge_method=method) == "invalid_request"


async def test_a_method_without_a_challenge_is_refused_also_where_none_is_needed(world: World) -> None:
    """PK2."""
    party = await Party.registered(world, public=False, require_pkce=False)

    assert await error_of(world, party, code_challenge=None) == "invalid_request"


GOOD = challenge_of("v" * 43)


@pytest.mark.parametrize(
    "challenge",
    [GOOD[:-1], GOOD + "A", GOOD + "=", "+" + GOOD[1:], "/" + GOOD[1:], "é" + GOOD[1:], GOOD[:-1] + "\n", "x"],
)
async def test_a_challenge_that_is_no_digest_is_refused(world: World, challenge: str) -> None:
    """PK7."""
    party = await Party.registered(world)

    assert await error_of(world, party, code_challenge=challenge) == "invalid_request"


@pytest.mark.parametrize("verifier", [None, "", "wrong" * 12, "challenge", "upper", "blank"])
async def test_a_wrong_or_missing_verifier_burns_the_code(world: World, verifier: str | None) -> None:
    """PK4, PK9."""
    party = await Party.registered(world)
    code = await code_of(world, party)
    presented = {
        "challenge": challenge_of(party.verifier),
        "upper": party.verifier.swapcase(),
        "blank": f" {party.verifier}",
    }.get(verifier or "", verifier)

    first = await party.redeem(code, code_verifier=presented)
    second = await party.redeem(code)

    assert [answer.json()["error"] for answer in (first, second)] == ["invalid_grant"] * 2


async def test_a_verifier_for_a_code_without_challenge_is_refused(world: World) -> None:
    """PK5: somebody took the challenge out of the request (RFC 9700, section 2.1.1); authentik CVE-2024-23647."""
    party = await Party.registered(world, public=False, require_pkce=False)
    without = {"code_challenge": None, "code_challenge_method": None}

    downgraded = await party.redeem(await code_of(world, party, **without))
    plain = await party.redeem(await code_of(world, party, **without), code_verifier=None)

    assert downgraded.json()["error"] == "invalid_grant"
    assert plain.status_code == 200


@pytest.mark.parametrize(
    ("verifier", "status"),
    [
        ("a" * 42, 400),
        ("a" * 43, 200),
        (LETTERS, 200),
        ("a" * 128, 200),
        ("a" * 129, 400),
        ("a" * 42 + "+", 400),
        ("a" * 42 + "é", 400),
        ("a" * 42 + "\n", 400),
        ("a" * 43 + " ", 400),
    ],
)
async def test_a_verifier_has_43_to_128_letters(world: World, verifier: str, status: int) -> None:
    """PK6: also when the challenge is its digest."""
    party = await Party.registered(world)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = await code_of(world, party, code_challenge=digest)

    assert (await party.redeem(code, code_verifier=verifier)).status_code == status


async def test_the_verifier_of_one_code_is_none_for_another(world: World) -> None:
    """PK8."""
    one = await Party.registered(world)
    other = one.again()
    codes = [await code_of(world, party) for party in (one, other)]

    answers = [await one.redeem(codes[1]), await other.redeem(codes[0])]

    assert [answer.json()["error"] for answer in answers] == ["invalid_grant"] * 2


async def test_of_right_and_wrong_verifiers_at_once_at_most_one_is_looked_at(world: World) -> None:
    """PK9: guessing in parallel gives no second try."""
    party = await Party.registered(world)
    code = await code_of(world, party)
    guesses = [secrets.token_urlsafe(48) for _ in range(40)]

    first = await party.redeem(code, code_verifier=guesses[0])
    answers = await asyncio.gather(*(party.redeem(code, code_verifier=it) for it in [*guesses, party.verifier]))

    assert {answer.status_code for answer in [first, *answers]} == {400}


async def test_discovery_tells_of_s256_alone(world: World) -> None:
    """PK10."""
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = (await world.http.get(f"/.well-known/{path}")).json()
        assert document["code_challenge_methods_supported"] == ["S256"]


def test_the_comparison_takes_the_same_time_whatever_differs() -> None:
    """PK11: that of the standard library which does, on the digest of the verifier."""
    assert "hmac.compare_digest(digest, challenge" in inspect.getsource(authorization_codes)
