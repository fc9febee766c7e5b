"""Postgres is killed while people register, sign in, refresh and sign out: what was acknowledged stays."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
from clients import PASSWORD, Client, Log, refreshing
from journal import more, people, require_kept, told_to_try_again
from sites import Site

from idp.database.servers import credentials

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

KILLS = 4


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
    await require_kept(journal, database)
    await database.close()


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
