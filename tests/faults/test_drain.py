"""A server that was asked to stop says so to whoever routes requests to it, and serves on until that has been noticed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
from clients import PASSWORD, Client, Log, browser
from sites import Site

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

PAUSE = 0.05
LIMIT = 30.0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Two workers; a login takes long enough to be under way when something happens."""
    with Site(embedded=True, IDP_WORKERS="2", IDP_BCRYPT_ROUNDS="11", IDP_DRAIN="4s", IDP_RELEASE="7.1") as running:
        yield running


async def drains(http: httpx.AsyncClient) -> httpx.Response:
    """The first answer that is not "ready"."""
    async with asyncio.timeout(LIMIT):
        while (answer := await http.get("/health/ready", headers={"Connection": "close"})).status_code == 200:
            await asyncio.sleep(PAUSE)
    return answer


async def used(site: Site, status: list[int]) -> None:
    """Requests on new connections, one after the other, until the server takes none any more."""
    async with browser(site) as http:
        while True:
            try:
                answer = await http.get("/.well-known/jwks.json", headers={"Connection": "close"})
            except httpx.ConnectError:
                return
            status.append(answer.status_code)
            await asyncio.sleep(PAUSE)


async def test_a_server_asked_to_stop_serves_whoever_still_comes_and_loses_no_request(site: Site, log: Log) -> None:
    async with browser(site) as http, browser(site) as held, browser(site) as asking:
        clients = [await Client(http, log).begin() for _ in range(4)]
        before = await held.get("/health/detailed")
        logins = [
            asyncio.create_task(http.post("/auth/login", json={"email": client.email, "password": PASSWORD}))
            for client in clients
        ]
        statuses: list[int] = []
        chain = asyncio.create_task(used(site, statuses))

        os.kill(site.pid, signal.SIGTERM)
        not_ready = await drains(asking)
        on_the_same_connection = await held.get("/health/live")
        for client in clients:
            await client.refresh()
        answers = [answer.status_code for answer in await asyncio.gather(*logins)]
        await chain
        assert site.server.process is not None
        async with asyncio.timeout(LIMIT):
            while (ended := site.server.process.poll()) is None:
                await asyncio.sleep(PAUSE)

    assert before.json()["release"] == "7.1"
    assert "connection" not in before.headers
    assert not_ready.status_code == 503
    assert not_ready.json() == {"status": "draining", "checks": {}}
    assert not_ready.headers["retry-after"].isdigit()
    assert on_the_same_connection.status_code == 200
    assert on_the_same_connection.headers["connection"] == "close"
    assert answers == [200] * 4
    assert set(statuses) == {200}
    assert (ended, set(log.statuses)) == (0, {200, 201})


async def test_a_server_none_of_whose_workers_becomes_ready_gives_up_and_says_so() -> None:
    with Site(IDP_WORKERS="2") as site:
        site.server.stop()  # a start in which none becomes ready has to be a new one
        process, killed = site.server.launch(), set[int]()
        async with asyncio.timeout(LIMIT):
            while (status := process.poll()) is None:
                for worker in site.workers():
                    os.kill(worker, signal.SIGKILL)
                    killed.add(worker)
                await asyncio.sleep(0.01)
        said = site.server.output()

    assert status == 1
    assert len(killed) <= 6
    assert "no worker could start" in said
