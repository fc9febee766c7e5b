"""A second node over the same stores, with stricter settings: no grace, a rotated secret, one more round of bcrypt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import pytest
from caller import Caller
from process import ServerProcess
from registrations import TOKEN, Door
from world import World

from idp.embedded import StoreUrls
from idp.settings import Settings

NEWER_SECRET = "a newer secret for tests and just as long"


def another_node(
    name: str, settings: Settings, urls: StoreUrls, *, limited: bool = False, **more: str
) -> ServerProcess:
    """Over the stores and the keys of the first, and for its issuer."""
    given = {
        "IDP_ISSUER": settings.issuer,
        "IDP_DATABASE_URL": urls.database,
        "IDP_MIGRATION_DATABASE_URL": urls.migration,
        "IDP_REDIS_URL": urls.redis,
        "IDP_KEYS_DIR": str(settings.keys_dir),
        # Mails of the one queue are written by any node.
        "IDP_DATA_DIR": str(settings.data_dir),
        "IDP_SECRET": settings.secrets[0].decode(),
        "IDP_TRUSTED_PROXIES": "127.0.0.0/8,::1",
    }
    return ServerProcess(settings.data_dir.parent / name, limited=limited, **(given | more))


@pytest.fixture(scope="session")
def strict_node(settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    stricter = {"IDP_REFRESH_GRACE": "0", "IDP_BCRYPT_ROUNDS": "5"}
    rotated = f"{NEWER_SECRET},{settings.secrets[0].decode()}"
    with another_node("strict", settings, urls, IDP_SECRET=rotated, **stricter) as node:
        yield node


@pytest.fixture(scope="session")
async def strict(world: World, strict_node: ServerProcess) -> AsyncIterator[World]:
    """The same world through the other node. Its `services` are the first node's."""
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=20)
    async with httpx.AsyncClient(base_url=strict_node.url, timeout=60, limits=limits, verify=False) as http:
        yield World(http, world.services, world.settings, world.database, world.cache, world.tokens)


@pytest.fixture(scope="session")
def careful_node(settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    """A node where nobody goes on to a client before the address is verified."""
    with another_node("careful", settings, urls, IDP_VERIFIED_EMAIL_REQUIRED="true") as node:
        yield node


@pytest.fixture(scope="session")
async def careful(world: World, careful_node: ServerProcess) -> AsyncIterator[World]:
    """The same world through that node."""
    async with httpx.AsyncClient(base_url=careful_node.url, timeout=60, verify=False) as http:
        settings = replace(world.settings, issuer=careful_node.url)
        yield World(http, world.services, settings, world.database, world.cache, world.tokens)


@pytest.fixture(scope="session")
def limited_node(settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    """A third node, with the limits and the lockout that users get, and a limit on clients."""
    limits = {"IDP_LIMIT_CLIENT": "3/1m", "IDP_LIMIT_AUTHORIZE": "10/1m", "IDP_CORS_ORIGINS": "https://app.example"}
    with another_node("limited", settings, urls, limited=True, **limits) as node:
        yield node


@pytest.fixture
async def caller(world: World, limited_node: ServerProcess) -> AsyncIterator[Caller]:
    """Somebody at an address of their own, before the node that limits."""
    async with calling(world, limited_node) as caller:
        yield caller


@pytest.fixture(scope="session")
def office_node(settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    """A node for people who share an address: of sign-ins only failures count."""
    limits = {"IDP_LIMIT_LOGIN_COUNTS": "failures", "IDP_LIMIT_API": "5/15m"}
    with another_node("office", settings, urls, limited=True, **limits) as node:
        yield node


@pytest.fixture
async def office(world: World, office_node: ServerProcess) -> AsyncIterator[Caller]:
    """Everybody behind one address, before that node."""
    async with calling(world, office_node) as caller:
        yield caller


@asynccontextmanager
async def calling(world: World, node: ServerProcess) -> AsyncIterator[Caller]:
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=20)
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx.AsyncClient(base_url=node.url, timeout=60, limits=limits, cookies=forgetful, verify=False) as http:
        yield Caller(http, world, node)


@pytest.fixture(scope="session")
def registering_node(settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    """A node where clients may register themselves, which limits who gets a token wrong."""
    given = {"IDP_REGISTRATION_TOKEN": TOKEN, "IDP_LIMIT_LOGIN": "5/15m"}
    with another_node("registering", settings, urls, **given) as node:
        yield node


@pytest.fixture
async def door(world: World, registering_node: ServerProcess) -> AsyncIterator[Door]:
    async with httpx.AsyncClient(base_url=registering_node.url, timeout=60, verify=False) as http:
        yield Door(http)
