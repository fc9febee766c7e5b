"""The end of the whole server: asked for under load, or by a kill of its parent process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from clients import PASSWORD, Client, Log, browser
from sites import Site, alive, descendants

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

LIMIT = 120.0


@pytest.fixture
def site() -> Iterator[Site]:
    """With stores of its own; a login takes long enough to be under way when something happens."""
    with Site(embedded=True, IDP_WORKERS="2", IDP_BCRYPT_ROUNDS="11") as running:
        yield running


async def all_gone(pids: list[int]) -> None:
    end = time.monotonic() + LIMIT
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < end, f"still there: {left}"
        await asyncio.sleep(0.02)


async def ended(site: Site) -> int:
    """The exit status. Waits without holding the clients up."""
    assert site.server.process is not None
    async with asyncio.timeout(LIMIT):
        while (status := site.server.process.poll()) is None:
            await asyncio.sleep(0.02)
    return status


async def refreshing_until_broken(client: Client, *also: int) -> None:
    """Refreshes until it is not answered, or with one of *also*; *client* then holds the last token that it was given."""
    while True:
        try:
            answer = await client.http.post("/auth/refresh", json={"refreshToken": client.token})
        except httpx.TransportError:
            return
        if answer.status_code in also:
            return
        assert answer.status_code == 200, answer.text
        client.token = answer.json()["refreshToken"]


async def test_asked_to_stop_under_load_it_answers_what_it_has_and_leaves_nothing(site: Site, log: Log) -> None:
    pids = descendants(site.pid)
    async with browser(site) as http:
        clients = [await Client(http, log).begin() for _ in range(6)]
        chains = [asyncio.create_task(refreshing_until_broken(client)) for client in clients]
        credentials = {"email": clients[0].email, "password": PASSWORD}
        logins = [asyncio.create_task(http.post("/auth/login", json=credentials)) for _ in range(8)]
        await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)  # so the others have been taken

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):  # asked again, it does not hurry
            os.kill(site.pid, number)
        answers = await asyncio.gather(*logins)
        status = await ended(site)
        await asyncio.gather(*chains)
    await all_gone(pids)
    site.server.start()
    async with browser(site) as http:
        for client in clients:
            client.http = http
            await client.refresh()

    # How many passwords waited too long for their turn (503) is up to the machine.
    assert 200 in {answer.status_code for answer in answers} <= {200, 503}
    assert status == 0


async def test_killed_it_takes_workers_and_stores_along_and_a_new_start_goes_on(site: Site, log: Log) -> None:
    """RF11."""
    pids = descendants(site.pid)
    async with browser(site) as http:
        clients = [await Client(http, log).begin() for _ in range(6)]
        left = await Client(http, log).begin()
        # The stores may end a moment before the workers.
        chains = [asyncio.create_task(refreshing_until_broken(client, 503)) for client in clients]
        await left.refresh()
        await left.sign_out()

        os.kill(site.pid, signal.SIGKILL)
        await asyncio.gather(*chains)
    await ended(site)
    await all_gone(pids)
    site.server.start()

    async with browser(site) as http:
        for client in [*clients, left]:
            client.http = http
        for client in clients:
            await client.refresh()
        assert await left.is_refused()
    assert log.wrong == []


async def test_when_its_folder_is_gone_it_ends_and_takes_its_workers_along(site: Site) -> None:
    pids = descendants(site.pid)
    data = site.folder / "data"
    store = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    shutil.rmtree(data)

    os.kill(store, signal.SIGKILL)
    status = await ended(site)

    assert status != 0
    await all_gone(pids)
