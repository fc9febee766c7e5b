"""The stores that `idp serve` runs itself: killed, they come back, and the server outlives one that does not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Client, Log, browser, refreshing
from sites import Site, alive, children

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

LIMIT = 60.0


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(embedded=True) as running:
        yield running


def store(site: Site, program: str) -> int:
    (pid,) = (pid for pid in children(site.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == program)
    return pid


async def said(site: Site, event: str) -> None:
    before = site.server.output().count(event)
    async with asyncio.timeout(LIMIT):
        while site.server.output().count(event) <= before:
            await asyncio.sleep(0.05)


async def test_a_killed_store_comes_back_by_itself(site: Site, log: Log) -> None:
    async with browser(site) as http:
        clients = [await Client(http, log).begin() for _ in range(4)]
        async with refreshing(clients, log) as crowd:
            for program in ("postgres", "valkey-server"):
                await crowd.progress()
                os.kill(store(site, program), signal.SIGKILL)
                await said(site, "embedded_store_restarted")
            await crowd.progress()


async def test_the_server_outlives_a_store_that_does_not_come_back_at_once(site: Site, log: Log) -> None:
    async with browser(site) as http:
        client = await Client(http, log).begin()
        version = site.folder / "data" / "postgres" / "PG_VERSION"
        version.rename(version.with_suffix(".away"))
        os.kill(store(site, "postgres"), signal.SIGKILL)
        await said(site, "embedded_store_down")
        refused = await http.post("/auth/refresh", json={"refreshToken": client.token})
        version.with_suffix(".away").rename(version)
        await client.refresh()

    assert refused.status_code == 503
    assert alive(site.pid)
