"""One pair of real stores and one server on a real socket for each test process; people and clients are new in each test."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import prepared_stores
import pytest
import redis.asyncio
from fronts import BELOW, REGISTRATION_TOKEN, Below, in_front
from process import UNLIMITED, ServerProcess
from program import Forks
from world import World

from idp.app import create_app
from idp.bootstrap import running
from idp.cli.preparation import migrate
from idp.domain.tokens.refresh_tokens import RefreshTokenFormat
from idp.embedded import EmbeddedStores, StoreUrls
from idp.gateways import log_lines, secret_keys
from idp.serving.http_server import serve
from idp.serving.workers import hypercorn_config
from idp.settings import Settings, load

# Fixtures of the session which start something that most tests do without.
SHARED = (
    "below",
    "strict_node",
    "careful_node",
    "office_node",
    "limited_node",
    "registering_node",
    "command_stores",
    "own_stores",
    "made_folder",
)
SECRET = "a secret for tests that is long enough"


def pytest_configure() -> None:
    """Server and callers are one process: of 200 calls at once each takes two files, and a user may have 1,024 at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what takes long to start run in one process: of several, each would start it."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (shared := _shared(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(shared))


def _shared(item: pytest.Item) -> str | None:
    """A server of the session that only some need, or the test's module when a fixture lives as long as that."""
    for name in SHARED:
        if name in getattr(item, "fixturenames", ()):
            return name
    module = item.nodeid.partition("::")[0]
    found = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    own = any(fixture.scope == "module" and fixture.baseid == module for *_, fixture in found)
    return module if own else None


def pytest_unconfigure() -> None:
    prepared_stores.forget()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Short, since sockets live in it; gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="idp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with Forks() as ready:
        yield ready


@pytest.fixture(scope="session")
def embedded(folder: Path) -> Iterator[EmbeddedStores]:
    prepared_stores.prepare(folder / "stores")
    with EmbeddedStores(folder / "stores", durable=False) as stores:
        yield stores


@pytest.fixture(scope="session")
async def urls(embedded: EmbeddedStores) -> StoreUrls:
    """Migrated."""
    found = embedded.start()
    await migrate(found)
    return found


@pytest.fixture(scope="session")
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield listening


@pytest.fixture(scope="session")
def settings(folder: Path, listener: socket.socket) -> Settings:
    return load(
        {
            "IDP_ISSUER": f"http://localhost:{listener.getsockname()[1]}",
            "IDP_SECRET": SECRET,
            "IDP_DATA_DIR": str(folder / "data"),
            "IDP_KEYS_DIR": str(folder / "keys"),
            "IDP_BCRYPT_ROUNDS": "4",
            "IDP_CORS_ORIGINS": "https://app.example",
            **UNLIMITED,
        }
    )


@pytest.fixture(scope="session")
async def world(settings: Settings, urls: StoreUrls, listener: socket.socket) -> AsyncIterator[World]:
    log_lines.configure(pretty=False)
    formatter = RefreshTokenFormat(secret_keys.derived(settings.secrets, secret_keys.REFRESH_TOKENS))
    stop = asyncio.Event()
    async with (
        running(settings, urls) as services,
        asyncpg.create_pool(urls.migration, min_size=1, max_size=4) as database,
        redis.asyncio.from_url(urls.redis) as cache,
        httpx.AsyncClient(
            base_url=settings.issuer,
            timeout=60,
            limits=httpx.Limits(max_connections=600, max_keepalive_connections=20),
            verify=False,
        ) as http,
    ):
        app: Any = create_app(services, settings)
        server = asyncio.create_task(serve(app, hypercorn_config(), listener, stop.wait))
        yield World(http, services, settings, database, cache, formatter)
        stop.set()
        await server


# Not for the session: it has an issuer of its own, and delivers mails and logout notices of the database that all share.
@pytest.fixture(scope="module")
async def below(world: World, settings: Settings, urls: StoreUrls) -> AsyncIterator[Below]:
    """Over the stores and the keys of the first node. Its `services` are those of the first."""
    async with in_front() as front:
        issuer = f"{front.origin}{BELOW}"
        node = ServerProcess(
            settings.data_dir.parent / "below",
            IDP_ISSUER=issuer,
            IDP_DATABASE_URL=urls.database,
            IDP_MIGRATION_DATABASE_URL=urls.migration,
            IDP_REDIS_URL=urls.redis,
            IDP_KEYS_DIR=str(settings.keys_dir),
            IDP_DATA_DIR=str(settings.data_dir),
            IDP_SECRET=SECRET,
            IDP_REGISTRATION_TOKEN=REGISTRATION_TOKEN,
            IDP_CORS_ORIGINS="https://app.example",
        )
        with node:
            front.to = node.port
            async with httpx.AsyncClient(base_url=issuer, timeout=60, verify=False) as http:
                own = replace(settings, issuer=issuer)
                yield Below(World(http, world.services, own, world.database, world.cache, world.tokens), front)


@pytest.fixture(params=[BELOW, ""], ids=["stripped", "passed on"])
def pathed(below: Below, request: pytest.FixtureRequest) -> World:
    """The world below a path, behind a proxy that takes the path off what it passes on, and behind one that does not."""
    below.front.strips = request.param
    return below.world
