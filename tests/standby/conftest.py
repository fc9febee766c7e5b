"""One server that reads from two standbys; each test leaves them up and in step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from clients import browser
from sets import Administrator, ReplicatedSite, until


@pytest.fixture(scope="session")
def shared_set() -> Iterator[ReplicatedSite]:
    with ReplicatedSite(2, reads=True, IDP_DATABASE_REPLICA_LAG="3s") as site:
        yield site


@pytest.fixture
async def replicated(shared_set: ReplicatedSite, http: httpx.AsyncClient) -> ReplicatedSite:
    """Both standbys are in use."""

    async def in_use() -> bool:
        return (await http.get("/health/detailed")).json()["checks"]["replicas"]["status"] == "ok"

    await until(in_use)
    return shared_set


@pytest.fixture(scope="session")
async def http(shared_set: ReplicatedSite) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(shared_set) as client:  # type: ignore[arg-type]
        yield client


@pytest.fixture(scope="session")
async def administrator(http: httpx.AsyncClient) -> Administrator:
    return await Administrator.signed_in(http)


@pytest.fixture
async def still(replicated: ReplicatedSite) -> AsyncIterator[ReplicatedSite]:
    """Both standbys stay at what they have now, and go on to tell it."""
    for standby in replicated.standbys:
        await standby.run("SELECT pg_wal_replay_pause()")
    yield replicated
    for standby in replicated.standbys:
        await standby.run("SELECT pg_wal_replay_resume()")
