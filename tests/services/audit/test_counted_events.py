"""What happens too often to be written one by one."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from process import ServerProcess
from world import Tokens, World

from idp.domain.audit.events import Occurrence, Origin, TokensRefreshed, origin
from idp.domain.errors import StoreUnavailable
from idp.services.audit.counted_events import CountedEvents


async def told(world: World, tokens: Tokens) -> list[dict[str, Any]]:
    await world.services.session_service.watch.refreshes.write()
    return await world.events("tokens_refreshed", session_id=(await world.session(tokens))["id"])


async def test_refreshes_of_a_session_are_one_event_with_their_number(world: World) -> None:
    tokens = await world.signed_in(await world.client())
    await told(world, tokens)
    for _ in range(5):
        tokens = await world.refreshed(tokens)

    events = await told(world, tokens)

    assert sum(event["detail"]["count"] for event in events) == 5
    assert len(events) <= 2  # the server's own round may have come in between
    assert events[0]["client_id"] == tokens.client_id
    assert events[0]["address"] == "127.0.0.1"


async def test_a_refused_refresh_is_not_told_as_one(world: World) -> None:
    tokens = await world.signed_in(await world.client())

    await world.refresh(Tokens("", "idp_rt_forged", tokens.client_id, tokens.client_secret))

    assert await told(world, tokens) == []


async def test_two_hundred_at_once_lose_no_count(world: World) -> None:
    client = await world.client()
    sessions = [await world.signed_in(client) for _ in range(10)]

    async def refreshes(tokens: Tokens) -> Tokens:
        for _ in range(20):
            tokens = await world.refreshed(tokens)
        return tokens

    ended = await asyncio.gather(*map(refreshes, sessions))

    for tokens in ended:
        assert sum(event["detail"]["count"] for event in await told(world, tokens)) == 20


class Trail:
    """Writes to a list, or not at all while *down*."""

    def __init__(self) -> None:
        self.down = False
        self.written: list[Occurrence] = []

    async def record_all(self, occurrences: list[Occurrence]) -> None:
        if self.down:
            raise StoreUnavailable
        self.written += occurrences


@pytest.fixture
def trail() -> Trail:
    return Trail()


def counted(trail: Trail, world: World, most: int = 100) -> CountedEvents:
    now = world.services.session_service.now
    return CountedEvents(TokensRefreshed, trail, now=now, interval=3600, most=most)  # type: ignore[arg-type]


async def test_what_a_store_that_is_down_does_not_take_is_written_when_it_is_back(world: World, trail: Trail) -> None:
    events, trail.down = counted(trail, world), True
    events.note()
    await events.write()
    events.note()
    trail.down = False

    await events.write()

    assert [one.event.count for one in trail.written] == [2]  # type: ignore[attr-defined]


async def test_what_waits_is_bounded_and_no_count_is_lost(world: World, trail: Trail) -> None:
    events, trail.down = counted(trail, world, most=10), True
    for place in range(1000):
        origin.set(Origin(address=f"203.0.113.{place % 200}"))
        events.note()
        if place % 300 == 0:
            await events.write()
    trail.down = False

    await events.write()

    assert len(trail.written) <= 11
    assert sum(one.event.count for one in trail.written) == 1000  # type: ignore[attr-defined]


async def test_a_stop_writes_what_waits(world: World, trail: Trail) -> None:
    events = counted(trail, world)
    running = asyncio.create_task(events.run())
    await asyncio.sleep(0)
    events.note()

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert len(trail.written) == 1


@pytest.mark.isolated
def test_a_server_that_stops_leaves_no_refresh_untold(tmp_path: Any) -> None:
    import httpx

    with (
        ServerProcess(tmp_path / "server") as server,
        httpx.Client(base_url=server.url, timeout=30, verify=False) as http,
    ):
        account = {"email": "ada@example.com", "password": "Correct-Horse-7"}
        http.post("/auth/register", json=account | {"name": "Ada"})
        body = http.post("/auth/login", json=account).json()
        http.post("/auth/refresh", json={"refreshToken": body["refreshToken"]})
        assert UUID(body["user"]["id"])
        server.stop()
        server.start()
        body = http.post("/auth/login", json=account).json()

        assert '"event":"tokens_refreshed"' in server.output()
