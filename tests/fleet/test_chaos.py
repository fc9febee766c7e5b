"""Of two nodes one is killed every five seconds, with all its processes, and comes back: nobody is signed out."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest
from fleet_load import load
from fleet_nodes import NODES, Fleet

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("fleet")]

EVERY = 5.0
TWO_MINUTES = 24
WANTED = 0.999


async def killed_and_started(fleet: Fleet, kills: int, chance: Random) -> None:
    """At random, every five seconds; later only when the one before is not back yet, since nobody serves from no node."""
    for _ in range(kills):
        beat = time.monotonic()
        await asyncio.to_thread(fleet.await_up)
        node = chance.choice(NODES)
        fleet.kill(node)
        fleet.start(node, "1")
        await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - beat)))
    await asyncio.to_thread(fleet.await_up)


@pytest.mark.parametrize("kills", [2, pytest.param(TWO_MINUTES, marks=pytest.mark.soak)])
async def test_nodes_that_are_killed_cost_nobody_a_session(fleet: Fleet, kills: int) -> None:
    begun = time.monotonic()
    async with load(fleet) as crowd, asyncio.timeout(120 + kills * 60):
        await killed_and_started(fleet, kills, Random(kills))
        seconds = time.monotonic() - begun

    print(f"\n{kills} kills: {crowd.log.told(seconds)}\nfirst: {crowd.log.first_failed}\nagain: {crowd.log.failed}")
    assert crowd.log.wrong == []
    assert await fleet.revoked_sessions() == 0
    if kills == TWO_MINUTES:
        assert crowd.log.availability >= WANTED
