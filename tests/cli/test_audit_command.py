"""`idp audit`."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from audit_rows import chained_day, without_chain
from program import Forked

from idp.database.servers import credentials
from idp.embedded import StoreUrls

INSERT = """
INSERT INTO audit.events (id, at, name, severity, user_id, client_id, actor, address, detail)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8)
"""
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def owner(program: Forked, store_urls: StoreUrls) -> AsyncIterator[asyncpg.Pool]:
    """Who could change the trail."""
    async with asyncpg.create_pool(**credentials(store_urls.migration), min_size=1, max_size=2) as pool:
        yield pool
        async with without_chain(pool) as connection:
            for table in ("events", "heads"):
                await connection.execute(f"DELETE FROM audit.{table} WHERE day < current_date - 2")


async def client_with_events(database: Any, count: int = 3) -> str:
    client_id = f"client-{secrets.token_hex(6)}"
    for place in range(count):
        at = AT + timedelta(minutes=place)
        detail = json.dumps({"count": place})
        await database.execute(INSERT, at, "test", "warning", None, client_id, "cli:ada", "203.0.113.7", detail)
    return client_id


async def test_events_are_listed_with_the_newest_first(program: Forked, database: Any) -> None:
    client_id = await client_with_events(database)

    listed = program.json("audit", "list", "--client", client_id)

    assert [event["detail"]["count"] for event in listed] == [2, 1, 0]
    assert listed[0]["at"] == "2026-03-01T12:02:00.000Z"
    assert (listed[0]["actor"], listed[0]["address"]) == ("cli:ada", "203.0.113.7")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--name", "test"], 3),
        (["--name", "other"], 0),
        (["--severity", "warning"], 3),
        (["--severity", "info"], 0),
        (["--actor", "cli:ada"], 3),
        (["--address", "203.0.113.8"], 0),
        (["--since", "2026-03-01T12:01:00"], 2),
        (["--since", "2026-03-01T14:01:00+02:00"], 2),
        (["--until", "2026-03-01T12:01:00Z"], 1),
        (["--since", "2026-03-02"], 0),
        (["--limit", "2"], 2),
    ],
    ids=str,
)
async def test_each_option_leaves_out_what_does_not_match(
    program: Forked, database: Any, options: list[str], count: int
) -> None:
    client_id = await client_with_events(database)

    assert len(program.json("audit", "list", "--client", client_id, *options)) == count


async def test_the_events_of_a_user_are_found_by_address_and_by_id(program: Forked, database: Any) -> None:
    email = f"user-{secrets.token_hex(6)}@example.com"
    made = program.json("users", "create", "--email", email, "--name", "Ada")

    by_address = program.json("audit", "list", "--user", email)

    assert {event["user_id"] for event in by_address} == {made["id"]}
    assert program.json("audit", "list", "--user", made["id"]) == by_address
    assert {event["actor"] for event in by_address} == {"cli:operator"}


async def test_a_table_shows_no_control_character(program: Forked, database: Any) -> None:
    mark = secrets.token_hex(4)
    await database.execute(INSERT, AT, "test", "info", None, mark, "a\x1b[2J\r\nb", None, "{}")

    listed = program("audit", "list", "--client", mark)

    assert "\x1b" not in listed.out
    assert len([line for line in listed.out.splitlines() if mark in line]) == 1


async def test_a_whole_trail_verifies_and_shows_its_digests(
    program: Forked, database: Any, owner: asyncpg.Pool
) -> None:
    await client_with_events(database)
    day = await chained_day(owner, 5)

    verified = program("audit", "verify", "--format", "json")

    assert (verified.status, verified.err) == (0, "")
    days = {one["day"]: one for one in verified.json}
    digest = await owner.fetchval("SELECT digest FROM audit.heads WHERE day = $1", day)
    assert days[str(day)] == {
        "day": str(day),
        "events": 5,
        "digest": digest.hex(),
        "state": "whole",
        "fault": None,
        "seq": None,
    }
    assert list(days) == sorted(days)


async def test_a_changed_row_is_status_1_and_named(program: Forked, owner: asyncpg.Pool) -> None:
    """LG7."""
    day = await chained_day(owner, 5)
    await owner.execute("UPDATE audit.events SET actor = 'nobody' WHERE day = $1 AND seq = 3", day)

    verified = program("audit", "verify")

    assert verified.status == 1
    [line] = [line for line in verified.out.splitlines() if line.startswith(str(day))]
    assert line.rstrip().endswith("changed at 3")
    assert "broken" in verified.err


async def test_a_digest_that_was_kept_must_be_that_of_the_day(program: Forked, owner: asyncpg.Pool) -> None:
    day = await chained_day(owner, 5)
    digest = (await owner.fetchval("SELECT digest FROM audit.heads WHERE day = $1", day)).hex()

    assert program("audit", "verify", "--expect", f"{day}={digest}").status == 0
    assert program("audit", "verify", "--expect", f"{day}={digest[::-1]}").status == 1
    assert program("audit", "verify", "--expect", f"1850-01-01={digest}").status == 1


@pytest.mark.parametrize("kept", ["2026-01-01", "2026-01-01=abc", "2026-01-01=xyz", "yesterday=" + "0" * 64], ids=str)
async def test_what_is_no_digest_of_a_day_is_wrong_usage(program: Forked, kept: str) -> None:
    assert program("audit", "verify", "--expect", kept).status == 2


async def retention(program: Forked, **settings: str) -> None:
    assert program("db", "migrate", **settings).status == 0


async def days_of(owner: asyncpg.Pool) -> set[date]:
    return {row["day"] for row in await owner.fetch("SELECT day FROM audit.heads")}


async def test_days_older_than_the_retention_are_pruned_whole(program: Forked, owner: asyncpg.Pool) -> None:
    today = datetime.now(UTC).date()
    old, young = today - timedelta(days=31), today - timedelta(days=29)
    await chained_day(owner, 5, old)
    await chained_day(owner, 4, young)
    await retention(program, IDP_AUDIT_RETENTION="30d")

    pruned = program.json("audit", "prune")

    assert pruned == {"pruned": 5}
    assert old not in await days_of(owner)
    assert young in await days_of(owner)
    assert await owner.fetchval("SELECT count(*) FROM audit.events WHERE day = $1", old) == 0
    [event] = program.json("audit", "list", "--name", "audit_pruned", "--limit", "1")
    assert event["detail"] == {"day": str(old), "count": 5}
    assert program("audit", "verify").status == 0
    await retention(program)


async def test_a_setting_of_the_server_alone_prunes_nothing(program: Forked, owner: asyncpg.Pool) -> None:
    """Who can start the program with the runtime role cannot shorten the retention."""
    day = await chained_day(owner, 5, datetime.now(UTC).date() - timedelta(days=100))
    await retention(program)

    pruned = program.json("audit", "prune", IDP_AUDIT_RETENTION="1d")

    assert pruned == {"pruned": 0}
    assert day in await days_of(owner)


async def test_the_retention_of_the_last_migration_is_the_policy(program: Forked, owner: asyncpg.Pool) -> None:
    for text, seconds in (("10d", 864_000), ("365d", 31_536_000)):
        await retention(program, IDP_AUDIT_RETENTION=text)

        assert await owner.fetchval("SELECT retention_seconds FROM audit.policy") == seconds
