"""`GET /admin/stats`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from world import Tokens, World

from idp.app import create_app
from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.embedded import StoreUrls
from idp.repositories.operation.statistics import StoreStatistics
from idp.repositories.reading import Reading
from idp.services.operation.statistics import Statistics


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def serving(world: World, clock: Clock, urls: StoreUrls, cache: str) -> AsyncIterator[World]:
    """The same server with statistics that were never asked for."""
    redis = RedisStore(cache)
    postgres = Postgres(urls.database, 2)
    statistics = Statistics(StoreStatistics(postgres, Reading.primary_alone(postgres), redis), clock)
    services = replace(world.services, administration=replace(world.services.administration, statistics=statistics))
    transport = httpx.ASGITransport(app=create_app(services, world.settings))  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=world.settings.issuer, transport=transport) as http:
        yield World(http, services, world.settings, world.database, world.cache, world.tokens)
    await redis.close()


@pytest.fixture
async def node(world: World, clock: Clock, urls: StoreUrls) -> AsyncIterator[World]:
    async for made in serving(world, clock, urls, urls.redis):
        yield made


@pytest.fixture
async def node_without_cache(world: World, clock: Clock, urls: StoreUrls) -> AsyncIterator[World]:
    async for made in serving(world, clock, urls, "redis://127.0.0.1:1"):
        yield made


async def read(node: World, admin: Tokens) -> dict[str, Any]:
    answer = await node.call("GET", "/admin/stats", admin)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def summed(body: dict[str, Any], step: str, name: str) -> int:
    return sum(period[name] for period in body["events"][step])


async def test_what_there_is_is_counted(node: World, clock: Clock, admin: Tokens) -> None:
    before = await read(node, admin)
    gone = await node.registered()
    await node.services.user_administration.disable(gone)
    user = await node.signed_in()
    await node.post("/auth/login", email=user.email, password="Wrong-Horse-7")

    clock.ahead += timedelta(seconds=5)
    after = await read(node, admin)

    def grown(part: str) -> dict[str, int]:
        return {name: after[part][name] - count for name, count in before[part].items()}

    assert grown("users") == {"total": 2, "active": 1, "disabled": 1, "administrators": 0, "createdLast24h": 2}
    assert grown("sessions") == {"active": 1, "createdLast24h": 1}
    for step in ("hourly", "daily"):
        assert [summed(after, step, name) - summed(before, step, name) for name in ("logins", "failures")] == [1, 1]


async def test_time_is_parted_into_24_hours_and_30_days(node: World, admin: Tokens) -> None:
    events = (await read(node, admin))["events"]

    assert (len(events["hourly"]), len(events["daily"])) == (24, 30)
    assert events["hourly"][-1]["begin"] <= datetime.now(UTC).isoformat()
    assert all(day["begin"].endswith("T00:00:00.000Z") for day in events["daily"])


REFRESHED = """
INSERT INTO audit.events (id, at, name, severity, detail)
VALUES (gen_random_uuid(), $1, 'tokens_refreshed', 'info', jsonb_build_object('count', $2::int))
"""


@pytest.mark.parametrize(
    ("step", "length", "place"), [("hourly", timedelta(hours=1), 5), ("daily", timedelta(days=1), 20)]
)
async def test_what_happened_in_a_time_that_is_over_is_summed_once(
    node: World, clock: Clock, admin: Tokens, step: str, length: timedelta, place: int
) -> None:
    long_ago = datetime.now(UTC) - place * length

    for count in (3, 4):
        await node.database.execute(REFRESHED, long_ago, count)
    first = (await read(node, admin))["events"][step][-1 - place]["refreshes"]
    await node.database.execute(REFRESHED, long_ago, 5)
    clock.ahead += timedelta(seconds=5)
    remembered = (await read(node, admin))["events"][step][-1 - place]["refreshes"]

    assert (first, remembered) == (7, 7)


async def test_they_are_put_together_at_most_every_five_seconds(node: World, clock: Clock, admin: Tokens) -> None:
    first = await read(node, admin)
    await node.registered()
    clock.ahead += timedelta(seconds=4)

    assert await read(node, admin) == first
    clock.ahead += timedelta(seconds=1)
    assert (await read(node, admin))["users"]["total"] > first["users"]["total"]


async def test_stores_are_told_of_without_their_place(node: World, admin: Tokens, urls: StoreUrls) -> None:
    body = await read(node, admin)

    assert body["database"].keys() == {"status", "latencyMs", "version", "pool"}
    assert body["database"]["pool"].keys() == {"size", "idle", "max"}
    assert body["cache"].keys() == {"status", "latencyMs", "version", "hits", "misses", "usedMemory"}
    assert body["cache"]["usedMemory"] > 0
    assert not any(part in str(body) for part in ("sock", "localhost", "127.0.0.1", "idp_app"))


async def test_a_cache_that_is_down_is_said_and_the_rest_is_told(node_without_cache: World, admin: Tokens) -> None:
    body = await read(node_without_cache, admin)

    assert (body["cache"]["status"], body["cache"]["hits"]) == ("unavailable", None)
    assert body["users"]["total"] > 0
