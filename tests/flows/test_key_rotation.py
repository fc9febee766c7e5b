"""
Keys are rotated again and again while tokens are made and resource servers verify them: none is refused.

A key waits for the JWKS' max-age and a minute before it signs. The quick run has two nodes whose keys, and nothing else,
live by a clock that goes `FASTER`: the files, the rotation and the schedule are the real ones, and 20 rotations fit into
half a minute. `make soak` does the same with a server of two processes in its own time.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from process import ServerProcess
from resource_servers import ResourceServer, Tokens, resource_servers
from world import PASSWORD, World

from idp.app import create_app
from idp.bootstrap import now
from idp.cli.http_server import serve
from idp.cli.workers import hypercorn_config
from idp.domain.signing_keys import MARGIN
from idp.domain.users import Role
from idp.gateways.key_files import KeyFiles
from idp.services.access_tokens import AccessTokens
from idp.services.key_administration import KeyAdministration

FASTER = 80
MAX_AGE = timedelta(seconds=1)
TOKEN_LIFETIME = timedelta(seconds=4)
LOOK_EVERY = 0.1  # seconds, of which MARGIN is 0.75 here
ROTATIONS = 20


class FastClock:
    def __init__(self) -> None:
        self._began = now()

    def __call__(self) -> datetime:
        return self._began + (now() - self._began) * FASTER


@dataclass
class Site:
    """Nodes of one issuer, and its administrator."""

    nodes: list[str]
    email: str

    @property
    def key_sets(self) -> list[str]:
        return [f"{node}/.well-known/jwks.json" for node in self.nodes]


@asynccontextmanager
async def hasty_site(world: World, folder: Path, *, ahead: timedelta = MAX_AGE) -> AsyncIterator[Site]:
    """Two nodes over the world's stores, with keys of their own."""
    clock = FastClock()
    email = await world.registered(name="Grace")
    await world.services.user_administration.set_roles(email, [Role.USER, Role.ADMIN])
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(hasty_node(world, folder, clock, ahead)) for _ in range(2)]
        yield Site(nodes, email)


@asynccontextmanager
async def hasty_node(world: World, folder: Path, clock: FastClock, ahead: timedelta) -> AsyncIterator[str]:
    keys = KeyFiles(folder, publish_ahead=ahead * FASTER, token_lifetime=TOKEN_LIFETIME * FASTER, now=clock)
    await asyncio.to_thread(keys.load)
    given, stop = world.services, asyncio.Event()
    tokens = AccessTokens(keys, issuer=world.settings.issuer, lifetime=TOKEN_LIFETIME, now=now, sessions=given.sessions)
    services = replace(
        given,
        keys=keys,
        access_tokens=tokens,
        rest_sessions=replace(given.rest_sessions, access_tokens=tokens),
        administration=replace(given.administration, keys=KeyAdministration(keys=keys, events=given.events)),
    )
    app: Any = create_app(services, replace(world.settings, jwks_max_age=MAX_AGE))
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        watching = asyncio.create_task(keys.watch(LOOK_EVERY))
        serving = asyncio.create_task(serve(app, hypercorn_config(), listener, stop.wait))
        yield f"http://localhost:{listener.getsockname()[1]}"
        watching.cancel()
        stop.set()
        await serving


@contextmanager
def real_site(folder: Path) -> Iterator[Site]:
    email = f"admin-{secrets.token_hex(4)}@example.com"
    lifetimes = {"IDP_JWKS_MAX_AGE": "1s", "IDP_ACCESS_TOKEN_TTL": "10s", "IDP_WORKERS": "2"}
    with ServerProcess(folder, IDP_ADMIN_EMAIL=email, IDP_ADMIN_PASSWORD=PASSWORD, **lifetimes) as process:
        yield Site([process.url], email)


class Traffic:
    """Refreshes at every node in turn, and rotations of the keys by the same administrator."""

    def __init__(self, site: Site, http: httpx.AsyncClient) -> None:
        self.tokens = Tokens()
        self._http = http
        self._nodes = cycle(site.nodes)
        self._email = site.email
        self._pair: dict[str, str] = {}

    async def begin(self) -> None:
        self._pair = await self._post("/auth/login", email=self._email, password=PASSWORD)
        self.tokens.add(self._pair["accessToken"])

    async def run(self) -> None:
        while True:
            self._pair = await self._post("/auth/refresh", refreshToken=self._pair["refreshToken"])
            self.tokens.add(self._pair["accessToken"])
            await asyncio.sleep(0.02)

    async def rotated(self) -> str:
        """The new key, once it signs. The limit guards against hanging."""
        bearer = {"Authorization": f"Bearer {self._pair['accessToken']}"}
        made = await self._http.post(f"{next(self._nodes)}/admin/keys/rotate", headers=bearer)
        assert made.status_code == 201, made.text
        kid: str = made.json()["key"]["kid"]
        async with asyncio.timeout(120):
            while kid not in self.tokens.kids:
                await asyncio.sleep(0.01)
        return kid

    async def _post(self, path: str, **body: str) -> dict[str, str]:
        answer = await self._http.post(next(self._nodes) + path, json=body)
        assert answer.status_code == 200, answer.text
        pair: dict[str, str] = answer.json()
        return pair


async def rotated(site: Site, times: int) -> tuple[list[ResourceServer], list[str]]:
    """What resource servers saw meanwhile, and the keys that signed."""
    async with httpx.AsyncClient(timeout=60) as http:
        traffic = Traffic(site, http)
        await traffic.begin()
        max_age = int(MAX_AGE.total_seconds())
        async with resource_servers(site.key_sets, max_age, traffic.tokens) as servers:
            running = asyncio.create_task(traffic.run())
            try:
                for _ in range(times):
                    await traffic.rotated()
                # Each has yet to see the last one.
                await asyncio.sleep(2 * max_age)
                assert not running.done(), running.exception()
            finally:
                running.cancel()
        return servers, traffic.tokens.kids


async def published(site: Site) -> list[set[str]]:
    async with httpx.AsyncClient() as http:
        return [{key["kid"] for key in (await http.get(place)).json()["keys"]} for place in site.key_sets]


def is_seamless(servers: list[ResourceServer], kids: list[str], rotations: int) -> bool:
    assert {server.name: server.refused[:5] for server in servers} == {server.name: [] for server in servers}
    assert len(kids) == rotations + 1
    for server in servers:
        assert server.kids == set(kids), server.name
        assert server.verified > 20 * rotations, server.name
    return True


async def test_no_token_is_refused_while_keys_rotate(world: World, tmp_path: Path) -> None:
    """JW16, JW18: not by who renews the key set in time, nor by who renews it only for a key that is new."""
    async with hasty_site(world, tmp_path / "keys") as site:
        servers, kids = await rotated(site, ROTATIONS)
        left = await published(site)

    assert is_seamless(servers, kids, ROTATIONS)
    assert all(kids[-1] in node and kids[0] not in node for node in left)


async def test_a_key_that_signs_unannounced_is_refused_by_who_keeps_the_key_set(world: World, tmp_path: Path) -> None:
    """JW16: what the waiting is for, and that these resource servers would notice."""
    async with hasty_site(world, tmp_path / "keys", ahead=-MARGIN / FASTER) as site:
        servers, _ = await rotated(site, 1)

    assert "ByCacheControl" in {server.name for server in servers if server.refused}


@pytest.mark.soak
@pytest.mark.isolated
async def test_no_token_is_refused_while_keys_rotate_in_real_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """JW16, JW18: a rotation takes its minute and more; 20 of them take 21 minutes."""
    with real_site(tmp_path_factory.mktemp("keys")) as site:
        servers, kids = await rotated(site, ROTATIONS)
        (left,) = await published(site)

    assert is_seamless(servers, kids, ROTATIONS)
    assert kids[-1] in left
    assert kids[0] not in left
