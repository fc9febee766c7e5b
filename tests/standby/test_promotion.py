"""The primary dies and a standby takes its place, under load: nobody restarts the server, and nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import asyncpg
import pytest
from clients import Client, Log, browser, refreshing
from journal import more, people, require_kept, told_to_try_again
from sets import ReplicatedSite

from idp.database.servers import credentials

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("standby")]


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[ReplicatedSite]:
    """With one standby more than die."""
    with ReplicatedSite(request.param, reads=True, fails_over=True, synchronous=True, IDP_DATABASE_POOL="5") as site:
        yield site


@pytest.mark.parametrize(
    ("site", "deaths", "crowd"),
    [
        pytest.param(2, 1, 6, id="once"),
        pytest.param(4, 3, 64, id="often", marks=pytest.mark.soak),
    ],
    indirect=["site"],
)
async def test_a_promotion_loses_nothing_and_needs_no_restart(site: ReplicatedSite, deaths: int, crowd: int) -> None:
    log = Log()
    async with browser(site) as http:  # type: ignore[arg-type]
        clients = [await Client(http, log, tabs=False).begin() for _ in range(crowd)]
        async with refreshing(clients, log) as refreshed, people(http, log) as journal:
            for _ in range(deaths):
                await more(journal.ended, 3)
                refused = log.statuses[503]
                site.kill_writer()
                died_at = time.monotonic()
                await told_to_try_again(log)
                asked_at = time.monotonic()
                promoted = await site.promote()
                promoted_at = time.monotonic()
                await refreshed.go_on()
                served_at = time.monotonic()
                await refreshed.progress(1)
                all_at = time.monotonic()
                print(
                    f"dead for {asked_at - died_at:.2f} s, promotion took {promoted_at - asked_at:.2f} s, "
                    f"{served_at - promoted_at:.2f} s later half of {crowd} clients had refreshed, "
                    f"{all_at - promoted_at:.2f} s later all; {log.statuses[503] - refused} answers 503, no other error"
                )
                await more(journal.ended, 3)
            await refreshed.progress()

        assert site.server is not None
        assert site.server.process is not None
        assert site.server.process.poll() is None
        assert refreshed.forks() == []
        assert set(log.statuses) <= {200, 201, 204, 503}
        database = await asyncpg.connect(**credentials(promoted.url(site.urls.migration)))
        await require_kept(journal, database)
        alive = await database.fetchval(
            "SELECT count(*) FROM sessions WHERE family_id = ANY($1) AND revoked_at IS NULL",
            [client.family for client in clients],
        )
        await database.close()
    print(f"sessions: {crowd} before, {alive} after")
    assert alive == crowd
