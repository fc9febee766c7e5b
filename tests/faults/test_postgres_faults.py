"""Postgres is killed while people register, sign in, refresh and sign out: what was acknowledged stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
import pytest
from clients import PASSWORD, Client, Log, refreshing
from sites import Site

from idp.database.servers import credentials

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

KILLS = 4
DEADLINE = 30.0


@dataclass
class Journal:
    """What the server acknowledged."""

    registered: list[str] = field(default_factory=list)
    ended: list[Client] = field(default_factory=list)

    async def lives(self, http: httpx.AsyncClient, log: Log) -> None:
        """One person after another: registers, signs in, refreshes twice, signs out."""
        while True:
            client = Client(http, log)
            await client.register()
            self.registered.append(client.email)
            await client.sign_in()
            await client.refresh()
            await client.refresh()
            await client.sign_out()
            self.ended.append(client)


@asynccontextmanager
async def people(http: httpx.AsyncClient, log: Log) -> AsyncIterator[Journal]:
    journal = Journal()
    tasks = [asyncio.create_task(journal.lives(http, log)) for _ in range(6)]
    try:
        yield journal
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}, outcomes


async def more(count: list[object] | list[str] | list[Client], by: int) -> None:
    goal = len(count) + by
    async with asyncio.timeout(DEADLINE):
        while len(count) < goal:
            await asyncio.sleep(0.01)


async def told_to_try_again(log: Log) -> None:
    before = log.statuses[503]
    async with asyncio.timeout(DEADLINE):
        while log.statuses[503] <= before:
            await asyncio.sleep(0.01)


async def test_a_killed_postgres_loses_nothing_that_was_acknowledged(
    site: Site, http: httpx.AsyncClient, clients: list[Client], log: Log
) -> None:
    async with refreshing(clients[:3], log) as crowd, people(http, log) as journal:
        for _ in range(KILLS):
            await more(journal.ended, 4)
            site.kill("postgres")
            await told_to_try_again(log)
            site.revive()
        await more(journal.ended, 4)
        await crowd.progress()

    database = await asyncpg.connect(**credentials(site.stores.start().migration))
    known = await database.fetch("SELECT email FROM users WHERE email = ANY($1)", journal.registered)
    families = [client.family for client in journal.ended]
    revoked = await database.fetch(
        "SELECT id FROM sessions WHERE family_id = ANY($1) AND revoked_reason = 'logout'", families
    )
    await database.close()
    assert {row["email"] for row in known} == set(journal.registered)
    assert len(revoked) == len(families)
    assert all([await client.is_refused() for client in journal.ended])


async def test_while_postgres_is_down_every_answer_says_try_again(
    site: Site, http: httpx.AsyncClient, clients: list[Client], log: Log
) -> None:
    """SC9, LG4; fosite CVE-2020-15223."""
    leaver, *live = clients
    async with refreshing(live, log) as crowd:
        await crowd.progress()
        site.stores.stop_postgres()
        await told_to_try_again(log)
        person = {"email": leaver.email, "password": PASSWORD}
        answers = [
            await http.post("/auth/login", json=person),
            await http.post("/auth/register", json=person | {"name": "Ada", "email": "new@example.com"}),
            await http.post("/auth/logout", json={"refreshToken": leaver.token}),
            await http.get("/auth/profile", headers={"Authorization": f"Bearer {leaver.access_token}"}),
            await http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=("app", "secret")),
            await http.get("/health/ready"),
        ]
        statics = [(await http.get(path)).status_code for path in ("/.well-known/jwks.json", "/health/live")]
        site.stores.start_postgres()
        await crowd.progress()

    assert [answer.status_code for answer in answers] == [503] * 6
    assert all("retry-after" in answer.headers for answer in answers)
    assert statics == [200, 200]
    assert not await leaver.is_refused()


async def test_while_postgres_hangs_the_process_goes_on_and_then_all_is_well(
    site: Site, http: httpx.AsyncClient, clients: list[Client], log: Log
) -> None:
    async with refreshing(clients, log) as crowd:
        await crowd.progress()
        with site.hung("postgres"):
            await told_to_try_again(log)
            statics = [(await http.get(path)).status_code for path in ("/.well-known/jwks.json", "/health/live")]
        await crowd.progress()

    assert statics == [200, 200]
    assert crowd.forks() == []
