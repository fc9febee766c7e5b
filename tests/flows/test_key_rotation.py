"""
Keys are rotated again and again while tokens are made and resource servers verify them: none is refused.

A key waits for the JWKS' max-age and a minute before it signs, so the quick run has two nodes, and caches, that live by a
clock of their own. It takes its next step when every resource server has looked at all there is; files, rotation and
schedule are the real ones. `make soak` does the same with a server of two processes in real time.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from jwt import api_jwk, jwk_set_cache, jwks_client
from on_a_socket import served
from process import ServerProcess
from resource_servers import Clock, ResourceServer, Tokens, resource_servers
from world import PASSWORD, World

from idp.app import create_app
from idp.bootstrap import now
from idp.domain.accounts.users import Role
from idp.domain.operation.signing_keys import MARGIN
from idp.gateways.key_files import KeyFiles
from idp.services.operation.key_administration import KeyAdministration
from idp.services.tokens.access_tokens import AccessTokens

MAX_AGE = timedelta(minutes=5)
TOKEN_LIFETIME = timedelta(minutes=15)
STEP = timedelta(seconds=20)
STEPS_UNTIL_READ = 2  # a node notices a new file after less than `MARGIN`
ROTATIONS = 20


class StepClock:
    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()


@dataclass
class Site:
    """Nodes of one issuer, its administrator, and how its time passes."""

    nodes: list[str]
    email: str
    max_age: timedelta
    clock: Clock
    step: Callable[[list[ResourceServer]], Awaitable[None]]

    @property
    def key_sets(self) -> list[str]:
        return [f"{node}/.well-known/jwks.json" for node in self.nodes]


@asynccontextmanager
async def stepping_site(world: World, folder: Path, *, ahead: timedelta = MAX_AGE) -> AsyncIterator[Site]:
    """Two nodes over the world's stores, with keys of their own."""
    clock = StepClock()
    email = await world.registered(name="Grace")
    await world.services.user_administration.set_roles(email, [Role.USER, Role.ADMIN])
    nodes = [KeyFiles(folder, publish_ahead=ahead, token_lifetime=TOKEN_LIFETIME, now=clock) for _ in range(2)]
    steps = count(1)

    async def step(servers: list[ResourceServer]) -> None:
        clock.at += STEP
        if next(steps) % STEPS_UNTIL_READ == 0:
            await asyncio.gather(*(asyncio.to_thread(keys.reload) for keys in nodes))
        before = [server.rounds for server in servers]
        # The round that was under way may have begun before the step.
        while any(server.rounds < rounds + 2 for server, rounds in zip(servers, before, strict=True)):
            await asyncio.sleep(0.002)

    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(stepping_node(world, keys, clock)) for keys in nodes]
        yield Site(urls, email, MAX_AGE, clock.seconds, step)


@asynccontextmanager
async def stepping_node(world: World, keys: KeyFiles, clock: StepClock) -> AsyncIterator[str]:
    await asyncio.to_thread(keys.load)
    given = world.services
    issuer = world.settings.issuer
    tokens = AccessTokens(
        keys,
        issuer=issuer,
        lifetime=TOKEN_LIFETIME,
        now=clock,
        sessions=given.sessions,
        revoked_tokens=given.revoked_tokens,
    )
    services = replace(
        given,
        keys=keys,
        access_tokens=tokens,
        rest_sessions=replace(given.rest_sessions, access_tokens=tokens),
        administration=replace(given.administration, keys=KeyAdministration(keys=keys, events=given.events)),
    )
    app: Any = create_app(services, replace(world.settings, jwks_max_age=MAX_AGE))
    async with served(app) as url:
        yield url


@contextmanager
def real_site(folder: Path) -> Iterator[Site]:
    email = f"admin-{secrets.token_hex(4)}@example.com"
    lifetimes = {"IDP_JWKS_MAX_AGE": "1s", "IDP_ACCESS_TOKEN_TTL": "10s", "IDP_WORKERS": "2"}

    async def step(servers: list[ResourceServer]) -> None:
        await asyncio.sleep(0.05)

    with ServerProcess(folder, IDP_ADMIN_EMAIL=email, IDP_ADMIN_PASSWORD=PASSWORD, **lifetimes) as process:
        yield Site([process.url], email, timedelta(seconds=1), time.time, step)


class Traffic:
    """Refreshes at every node in turn, and rotations of the keys, by one administrator."""

    def __init__(self, site: Site, http: httpx.AsyncClient) -> None:
        self.tokens = Tokens(site.clock)
        self._http = http
        self._nodes = cycle(site.nodes)
        self._pair: dict[str, str] = {}

    async def sign_in(self, email: str) -> None:
        await self._ask("/auth/login", email=email, password=PASSWORD)

    async def refresh(self) -> None:
        await self._ask("/auth/refresh", refreshToken=self._pair["refreshToken"])

    async def rotate(self) -> str:
        """The key that was made."""
        bearer = {"Authorization": f"Bearer {self._pair['accessToken']}"}
        made = await self._http.post(f"{next(self._nodes)}/admin/keys/rotate", headers=bearer)
        assert made.status_code == 201, made.text
        kid: str = made.json()["key"]["kid"]
        return kid

    async def _ask(self, path: str, **body: str) -> None:
        answer = await self._http.post(next(self._nodes) + path, json=body)
        assert answer.status_code == 200, answer.text
        self._pair = answer.json()
        self.tokens.add(self._pair["accessToken"])


async def rotated(site: Site, times: int) -> tuple[list[ResourceServer], list[str]]:
    """What resource servers saw meanwhile, and the keys that signed. The limit guards against hanging."""
    async with httpx.AsyncClient(timeout=60, verify=False) as http, asyncio.timeout(120 * times):
        traffic = Traffic(site, http)
        await traffic.sign_in(site.email)
        max_age = int(site.max_age.total_seconds())
        async with resource_servers(site.key_sets, max_age, traffic.tokens, site.clock) as servers:
            for _ in range(times):
                # Of two keys made in one instant either may sign.
                await site.step(servers)
                kid = await traffic.rotate()
                while any(kid not in server.kids for server in servers):
                    await site.step(servers)
                    await traffic.refresh()
        return servers, traffic.tokens.kids


async def published(site: Site) -> list[set[str]]:
    async with httpx.AsyncClient(timeout=60, verify=False) as http:
        return [{key["kid"] for key in (await http.get(place)).json()["keys"]} for place in site.key_sets]


def is_seamless(servers: list[ResourceServer], kids: list[str], rotations: int) -> bool:
    assert {server.name: server.refused[:5] for server in servers} == {server.name: [] for server in servers}
    assert len(kids) == rotations + 1
    for server in servers:
        assert server.kids == set(kids), server.name
        assert server.verified > 20 * rotations, server.name
    return True


@pytest.fixture
def own_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock], None]:
    """PyJWT's cache goes by it, too."""

    def own_time(clock: Clock) -> None:
        for module in (jwk_set_cache, api_jwk, jwks_client):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))

    return own_time


async def test_no_token_is_refused_while_keys_rotate(
    world: World, tmp_path: Path, own_time: Callable[[Clock], None]
) -> None:
    """JW16, JW18: not by who renews the key set in time, nor by who renews it only for a key that is new."""
    async with stepping_site(world, tmp_path / "keys") as site:
        own_time(site.clock)
        servers, kids = await rotated(site, ROTATIONS)
        left = await published(site)

    assert is_seamless(servers, kids, ROTATIONS)
    assert all(kids[-1] in node and kids[0] not in node for node in left)


async def test_a_key_that_signs_unannounced_is_refused_by_who_keeps_the_key_set(
    world: World, tmp_path: Path, own_time: Callable[[Clock], None]
) -> None:
    """JW16: what the waiting is for, and that these resource servers would notice."""
    async with stepping_site(world, tmp_path / "keys", ahead=-MARGIN) as site:
        own_time(site.clock)
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
