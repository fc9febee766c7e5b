"""Limits and lockout while Valkey is dead, hangs or has forgotten everything: never an error, never without a limit."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import redis.asyncio
from caller import new_address
from clients import PASSWORD, browser
from sites import Site

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

WRONG = "Wrong-Password-1"
# A question to a Valkey that hangs is given up after 2 s; the rest is for a busy machine.
DEADLINE = 15.0


@pytest.fixture(scope="module")
def strict_site() -> Iterator[Site]:
    """One wrong password locks; five sign-ins from one address are one too few."""
    with Site(
        IDP_LIMIT_LOGIN="5/15m", IDP_LIMIT_API="100/15m", IDP_LOCKOUT_ATTEMPTS="1", IDP_TRUSTED_PROXIES="127.0.0.0/8"
    ) as site:
        yield site


@pytest.fixture
def site(strict_site: Site) -> Iterator[Site]:
    yield strict_site
    strict_site.stores.restart_dead()
    strict_site.stores.start_valkey()
    strict_site.server.await_ready()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(site) as client:
        yield client


async def login(http: httpx.AsyncClient, email: str, password: str = WRONG, address: str | None = None) -> int:
    origin = {"X-Forwarded-For": address or new_address()}
    answer = await http.post("/auth/login", json={"email": email, "password": password}, headers=origin)
    return answer.status_code


async def registered(http: httpx.AsyncClient) -> str:
    email = f"user-{secrets.token_hex(8)}@example.com"
    answer = await http.post("/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"})
    assert answer.status_code == 201
    return email


async def test_a_dead_valkey_leaves_each_process_its_limits(site: Site, http: httpx.AsyncClient) -> None:
    site.kill("valkey")

    statuses = [await login(http, f"{number}@example.com", address="198.19.0.1") for number in range(8)]

    assert statuses == [401] * 5 + [429] * 3
    assert site.server.output().count("limits_counted_locally") == 1


async def test_a_valkey_that_hangs_holds_up_the_first_calls_only(site: Site, http: httpx.AsyncClient) -> None:
    with site.hung("valkey"):
        async with asyncio.timeout(DEADLINE):
            statuses = [(await http.get("/auth/profile")).status_code for _ in range(30)]

    assert statuses == [401] * 30


async def test_a_lock_is_made_and_holds_without_valkey_and_after_a_restart(site: Site, http: httpx.AsyncClient) -> None:
    """LK13."""
    locked, later = await registered(http), await registered(http)
    await login(http, locked)
    site.kill("valkey")
    while_dead = [await login(http, locked, PASSWORD), await login(http, later), await login(http, later, PASSWORD)]
    site.revive()
    async with redis.asyncio.from_url(site.stores.start().redis) as valkey:
        await valkey.flushall()
    site.server.stop()
    site.server.start()

    afterwards = [await login(http, email, PASSWORD) for email in (locked, later)]

    assert while_dead == [429, 401, 429]
    assert afterwards == [429, 429]
