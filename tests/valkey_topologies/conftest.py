"""
The world of the other tests, its server over a cluster and over a master that sentinels watch.

Tests of other folders run here too, unchanged: `borrowed.toml` names them.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import pytest
from caller import Caller
from family import Family, families_in
from process import ServerProcess
from sites import FORMAT, SECRET
from topologies import TOPOLOGIES, Topology
from world import World

from idp.database.redis import RedisStore
from idp.embedded import StoreUrls
from idp.settings import Settings


@pytest.fixture(scope="session", params=TOPOLOGIES)
async def topology(request: pytest.FixtureRequest) -> AsyncIterator[Topology]:
    folder = Path(tempfile.mkdtemp(prefix="idp-"))
    started = TOPOLOGIES[request.param](folder)
    try:
        await started.start()
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


def node(name: str, settings: Settings, urls: StoreUrls, topology: Topology, **more: Any) -> ServerProcess:
    return ServerProcess(
        settings.data_dir.parent / f"{topology.name}-{name}",
        IDP_DATABASE_URL=urls.database,
        IDP_MIGRATION_DATABASE_URL=urls.migration,
        IDP_REDIS_URL=topology.url,
        IDP_SECRET=f"{SECRET},{settings.secrets[0].decode()}",
        # Mails of the one queue are written by any node.
        IDP_DATA_DIR=str(settings.data_dir),
        IDP_KEYS_DIR=str(settings.keys_dir),
        IDP_CORS_ORIGINS="https://app.example",
        IDP_TRUSTED_PROXIES="127.0.0.0/8,::1",
        **more,
    )


@pytest.fixture(scope="session")
def server(settings: Settings, urls: StoreUrls, topology: Topology) -> Iterator[ServerProcess]:
    with node("server", settings, urls, topology) as process:
        yield process


@pytest.fixture
async def whole(topology: Topology) -> None:
    """What tests before have killed runs again."""
    await topology.repaired()


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    address, limits = server.url.replace("localhost", "127.0.0.1"), httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits, verify=False) as client:
        yield client


@pytest.fixture(scope="session")
async def cache(topology: Topology) -> AsyncIterator[Any]:
    async with topology.administrator() as client:
        yield client


@pytest.fixture(scope="session")
async def world(world: World, server: ServerProcess, cache: Any) -> AsyncIterator[World]:
    """Over the same Postgres as that of the other tests, whose `services` do here too what HTTP offers no way to."""
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=20)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits, verify=False) as http:
        settings = replace(world.settings, issuer=server.url)
        yield World(http, world.services, settings, world.database, cache, FORMAT)


@pytest.fixture(scope="session")
def limited_node(settings: Settings, urls: StoreUrls, topology: Topology) -> Iterator[ServerProcess]:
    """With the limits that users get."""
    limits = {"IDP_LIMIT_CLIENT": "3/1m", "IDP_LIMIT_AUTHORIZE": "10/1m"}
    with node("limited", settings, urls, topology, limited=True, **limits) as process:
        yield process


@pytest.fixture
async def caller(world: World, limited_node: ServerProcess) -> AsyncIterator[Caller]:
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=20)
    async with httpx.AsyncClient(
        base_url=limited_node.url, timeout=60, limits=limits, cookies=forgetful, verify=False
    ) as http:
        yield Caller(http, world, limited_node)


@pytest.fixture(scope="session")
async def store(topology: Topology) -> AsyncIterator[RedisStore]:
    opened = RedisStore(topology.url)
    yield opened
    await opened.close()


@pytest.fixture
def family(store: RedisStore, cache: Any) -> Family:
    return Family(families_in(store), cache)


@pytest.fixture
def strict(store: RedisStore, cache: Any) -> Family:
    return Family(families_in(store, grace=timedelta(0)), cache)


# Tests of other folders.


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Borrowing.from_parent(parent, path=file_path) if file_path.name == "borrowed.toml" else None


class Borrowing(pytest.File):
    """Modules by their path below tests/, each with the tests of it that always run; the rest runs with `make soak`."""

    def collect(self) -> Iterator[pytest.Collector]:
        borrowed = tomllib.loads(self.path.read_text())
        for place, always in borrowed["modules"].items():
            if not always and _only_always(self.config):
                continue
            path = self.path.parents[1] / place
            nodeid = f"{self.parent.nodeid}/{path.name}" if self.parent else path.name
            module = BorrowedModule.from_parent(self, path=path, nodeid=nodeid)
            module.always, module.unfit = frozenset(always), frozenset(borrowed["unfit"])
            yield module


class BorrowedModule(pytest.Module):
    always: frozenset[str]
    unfit: frozenset[str]

    def collect(self) -> list[pytest.Function]:
        found = [item for item in super().collect() if isinstance(item, pytest.Function)]
        names = {item.originalname for item in found}
        assert self.always <= names, f"{self.path.name} has no {sorted(self.always - names)}"
        wanted = self.always if _only_always(self.config) else names - self.unfit
        found = [item for item in found if item.originalname in wanted]
        for item in found:
            item.add_marker(pytest.mark.isolated)
            item.add_marker(pytest.mark.xdist_group("valkey_topologies"))
            if item.originalname not in self.always:
                item.add_marker(pytest.mark.soak)
        return found


def _only_always(config: pytest.Config) -> bool:
    """The others are not even made: there are hundreds, in each process of the tests."""
    return config.getoption("markexpr") == "not soak"
