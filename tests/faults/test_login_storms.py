"""More sign-ins than bcrypt can do, and sign-ins while stores die: the rest goes on, and nothing is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis.asyncio
from clients import PASSWORD, Client, Log, browser, refreshing
from sites import Site, resident

from idp.database.servers import credentials

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

# One thread does 3 to 4 hashes of 12 rounds a second.
LOGINS_PER_SECOND = 40
MOST_GROWTH = 24 * 1024 * 1024  # bytes; each of the connections of a storm has its buffers


@pytest.fixture
def costly_site() -> Iterator[Site]:
    with Site(IDP_BCRYPT_ROUNDS="12") as site:
        yield site


async def login(http: httpx.AsyncClient, email: str, log: Log) -> None:
    answer = await http.post("/auth/login", json={"email": email, "password": PASSWORD})
    log.note(answer, 200)


async def storm(http: httpx.AsyncClient, email: str, log: Log, seconds: float) -> None:
    """A login every 25 ms, however long the others take."""
    end, logins = time.monotonic() + seconds, []
    while time.monotonic() < end:
        logins.append(asyncio.create_task(login(http, email, log)))
        await asyncio.sleep(1 / LOGINS_PER_SECOND)
    await asyncio.gather(*logins)


async def reading(http: httpx.AsyncClient, log: Log) -> None:
    while True:
        answer = await http.get("/.well-known/jwks.json")
        log.note(answer, 200)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("seconds", [9, pytest.param(30, marks=pytest.mark.soak)])
async def test_ten_times_more_logins_than_bcrypt_can_do_stop_nothing_else(costly_site: Site, seconds: int) -> None:
    logins, reads, refreshes = Log(), Log(), Log()
    (worker,) = costly_site.workers()
    async with browser(costly_site) as http:
        clients = [await Client(http, refreshes).begin() for _ in range(3)]
        reader = asyncio.create_task(reading(http, reads))
        async with refreshing(clients, refreshes) as crowd:
            await storm(http, clients[0].email, logins, seconds / 3)
            before = resident(worker)
            await storm(http, clients[0].email, logins, seconds * 2 / 3)
            after = resident(worker)
            await crowd.progress()
        reader.cancel()

    assert logins.wrong == reads.wrong == []
    assert set(logins.statuses) == {200, 503}
    assert set(reads.statuses) == {200}
    assert set(refreshes.statuses) == {200, 201}
    assert after - before < MOST_GROWTH


def threads_of(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


async def files_of(pid: int, port: int) -> int:
    """What *pid* holds open once no caller is connected to *port*: how many connections callers keep is up to them."""
    async with asyncio.timeout(30):
        while callers(port):
            await asyncio.sleep(0.05)
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def callers(port: int) -> int:
    """Sockets on the server's side of a connection to *port*, also those that only the caller has closed."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening, of_nobody = "0A", "0"
    return sum(
        row[1].endswith(f":{port:04X}") and row[3] != listening and row[9] != of_nobody for row in rows if len(row) > 9
    )


async def held_connections(site: Site) -> tuple[int, int]:
    """How many the server has to Postgres and to Valkey."""
    urls = site.stores.start()
    database = await asyncpg.connect(**credentials(site.stores.superuser_url("idp")))
    held = await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = 'idp_app'")
    await database.close()
    async with redis.asyncio.from_url(urls.redis) as valkey:
        return int(held), len(await valkey.client_list()) - 1


async def test_sign_ins_while_stores_die_leave_no_connection_and_no_file_open(site: Site, log: Log) -> None:
    (worker,), port = site.workers(), httpx.URL(site.url).port or 0
    async with browser(site) as http:
        person = await Client(http, log).begin()
        await asyncio.gather(*(login(http, person.email, log) for _ in range(60)))
    files, threads = await files_of(worker, port), threads_of(worker)
    async with browser(site) as http:
        person.http = http
        for store in ("valkey", "postgres", "valkey", "postgres"):
            logins = [asyncio.create_task(login(http, person.email, log)) for _ in range(60)]
            await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
            site.kill(store)
            await asyncio.wait(logins)
            logins += [asyncio.create_task(login(http, person.email, log)) for _ in range(30)]
            await asyncio.gather(*logins)
            site.revive()
            await person.refresh()
        for _ in range(20):  # each pooled connection may notice only now
            await login(http, person.email, log)
        after = Log()
        await asyncio.gather(*(login(http, person.email, after) for _ in range(60)))

    assert log.wrong == []
    assert log.statuses[503] > 0
    assert after.statuses == {200: 60}
    in_postgres, in_valkey = await held_connections(site)
    assert in_postgres <= 5
    assert in_valkey <= 16
    assert await files_of(worker, port) <= files + 5 + 16
    assert threads_of(worker) <= threads + 1
