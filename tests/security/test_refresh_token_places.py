"""From where a refresh token is repeated within the grace, over HTTP: two tabs of one browser, or a thief in step (RF6, RF23)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from caller import Caller
from world import Registered, World


@pytest.fixture
async def client(world: World) -> Registered:
    return await world.client()


async def test_a_thief_in_step_with_the_victim_is_caught_at_the_fourth_rotation(
    world: World, client: Registered
) -> None:
    """RF6: each time both present the same token within the grace, from another place."""
    victim = await world.signed_in(client)
    for _ in range(3):
        victim, thief = await world.refreshed(victim), await world.refreshed(victim, agent="the thief's")
        assert victim.refresh_token == thief.refresh_token

    fourth = await world.refreshed(victim)
    late = await world.refresh(victim, agent="the thief's")

    assert [late.status_code, (await world.refresh(fourth)).status_code] == [400, 400]
    assert late.json()["error"] == "invalid_grant"
    assert (await world.session(victim))["revoked_reason"] == "reuse"


async def test_two_tabs_that_refresh_at_the_same_moments_stay_signed_in(world: World) -> None:
    """RF23: at either door, in either order, far more often than a repetition from elsewhere may happen."""
    tokens = await world.signed_in()

    for generation in range(20):
        rest = world.post("/auth/refresh", refreshToken=tokens.refresh_token)
        one, other = await asyncio.gather(rest, world.refresh(tokens))
        assert (one.status_code, other.status_code) == (200, 200), generation
        assert one.json()["refreshToken"] == other.json()["refresh_token"]
        tokens = replace(tokens, refresh_token=one.json()["refreshToken"])

    assert (await world.session(tokens))["revoked_at"] is None


async def test_rest_counts_repetitions_from_elsewhere_too(world: World) -> None:
    """RF6."""
    tokens = await world.signed_in()
    for _ in range(3):
        answers = [
            await world.post("/auth/refresh", refreshToken=tokens.refresh_token, headers={"User-Agent": agent})
            for agent in ("the owner's", "the thief's")
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        tokens = replace(tokens, refresh_token=answers[0].json()["refreshToken"])

    await world.post("/auth/refresh", refreshToken=tokens.refresh_token)
    late = await world.post("/auth/refresh", refreshToken=tokens.refresh_token, headers={"User-Agent": "the thief's"})

    assert (late.status_code, late.json()["error"]) == (401, "invalid_token")
    assert (await world.session(tokens))["revoked_reason"] == "reuse"


@pytest.mark.parametrize(
    ("second", "last"),
    [("2001:db8:7::ffff", 200), ("2001:db8:8::1", 401)],
    ids=["of the same network", "elsewhere"],
)
async def test_where_a_token_comes_from_is_what_the_trusted_proxy_says(caller: Caller, second: str, last: int) -> None:
    """RF6, RF23: the network that the limits count as one caller, with the same user agent."""
    token = (await caller.world.signed_in()).refresh_token
    for _ in range(4):
        caller.address = "2001:db8:7::1"
        first = await caller.post("/auth/refresh", refreshToken=token)
        caller.address = second
        again = await caller.post("/auth/refresh", refreshToken=token)
        token = first.json()["refreshToken"]

    assert (first.status_code, again.status_code) == (200, last)
