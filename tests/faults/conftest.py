"""One server over stores that the tests break; each test leaves both up again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from clients import Client, Log, browser
from sites import Site


@pytest.fixture(scope="session")
def shared_site() -> Iterator[Site]:
    with Site(IDP_DATABASE_POOL="5") as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    yield shared_site
    shared_site.stores.restart_dead()
    shared_site.stores.start_valkey()
    shared_site.stores.start_postgres()
    shared_site.server.await_ready()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(site) as client:
        yield client


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def clients(http: httpx.AsyncClient, log: Log) -> list[Client]:
    """Eight people, signed in."""
    return [await Client(http, log).begin() for _ in range(8)]


@pytest.fixture
async def signed_out(http: httpx.AsyncClient, log: Log) -> list[Client]:
    """Three whose sessions have ended, and who kept their last token."""
    gone = [await Client(http, log).begin() for _ in range(3)]
    for client in gone:
        await client.refresh()
        await client.sign_out()
    return gone
