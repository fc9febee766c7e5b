"""The chain of the audit trail, which the database itself makes, whoever writes and however."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import uuid4

import asyncpg
import pytest
from audit_rows import chained_day, without_chain
from world import World

from idp.bootstrap import Services
from idp.database.servers import credentials
from idp.domain.audit.events import Occurrence, Origin, SignInFailed, TokensRefreshed
from idp.domain.audit.trail import ExaminedDay, Fault
from idp.embedded import StoreUrls

AT = datetime(2026, 3, 1, 12, 30, 45, 123456, UTC)
INSERT = "INSERT INTO audit.events (id, at, name, severity, detail) VALUES ($1, $2, 'test', 'info', $3)"


@pytest.fixture
async def runtime(urls: StoreUrls) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the rights of the server."""
    connection = await asyncpg.connect(**credentials(urls.database))
    yield connection
    await connection.close()


async def examined(services: Services, day: date | None = None) -> ExaminedDay:
    """That day, or today, which has at least one event then."""
    await services.events.record(SignInFailed(cause="test", identifier="0" * 16))
    days = {one.day: one async for one in services.audit_verification.days({})}
    return days[day or datetime.now(UTC).date()]


async def test_two_hundred_events_at_once_form_one_chain(world: World) -> None:
    before = (await examined(world.services)).events

    await asyncio.gather(*(world.services.events.record(SignInFailed(cause="test")) for _ in range(200)))

    after = await examined(world.services)
    assert after.fault is None
    assert after.events >= before + 200


async def test_batches_and_single_events_at_once_do_not_lock_each_other_out(world: World) -> None:
    batch = [Occurrence(TokensRefreshed(count=1, user_id=uuid4()), AT, Origin()) for _ in range(20)]
    work = [world.services.events.record_all(batch) for _ in range(30)]
    work += [world.services.events.record(SignInFailed(cause="test")) for _ in range(30)]

    await asyncio.gather(*work)

    assert (await examined(world.services)).fault is None


@pytest.mark.parametrize(
    "setting",
    [
        "TimeZone TO 'Asia/Kathmandu'",
        "DateStyle TO 'German, DMY'",
        "IntervalStyle TO 'iso_8601'",
        "extra_float_digits TO -5",
    ],
)
async def test_no_setting_of_a_session_changes_what_a_digest_covers(
    world: World, runtime: asyncpg.Connection, setting: str
) -> None:
    await runtime.execute(f"SET {setting}")
    id_ = uuid4()
    await runtime.execute(INSERT, id_, AT, '{"number": 1.10, "text": "é", "nothing": null}')
    written = await runtime.fetchval("SELECT audit.canonical(e) FROM audit.events e WHERE id = $1", id_)

    read = await world.database.fetchval("SELECT audit.canonical(e) FROM audit.events e WHERE id = $1", id_)

    assert written == read
    assert "2026-03-01T12:30:45.123456" in read
    assert (await examined(world.services)).fault is None


@pytest.mark.parametrize("text", ["\u2028 \U0001f600 \u202e", '"},{"seq": 1', "\\u0000", "\x1b[2J\r\n", "e\u0301"])
async def test_any_text_is_covered_as_it_is(world: World, runtime: asyncpg.Connection, text: str) -> None:
    await runtime.execute(
        "INSERT INTO audit.events (id, at, name, severity, actor, detail) VALUES ($1, $2, 'test', 'info', $3, '{}')",
        uuid4(),
        AT.astimezone(timezone(timedelta(hours=-11))),
        text,
    )

    assert (await examined(world.services)).fault is None


async def test_who_inserts_chooses_neither_day_nor_place_nor_digest(world: World, runtime: asyncpg.Connection) -> None:
    id_ = uuid4()
    await runtime.execute(
        "INSERT INTO audit.events (id, at, name, severity, detail, day, seq, digest) "
        "VALUES ($1, $2, 'test', 'info', '{}', '1999-01-01', 7, 'x')",
        id_,
        AT,
    )

    row = await world.database.fetchrow("SELECT day, seq, digest FROM audit.events WHERE id = $1", id_)

    assert row["day"] == datetime.now(UTC).date()
    assert len(row["digest"]) == hashlib.sha256().digest_size
    assert (await examined(world.services)).fault is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.events SET name = 'x'",
        "DELETE FROM audit.events",
        "TRUNCATE audit.events",
        "SELECT FROM audit.events FOR UPDATE",
        "INSERT INTO audit.heads VALUES ('2020-01-01', 0, '')",
        "UPDATE audit.heads SET seq = 0",
        "DELETE FROM audit.heads",
        "SELECT FROM audit.heads FOR UPDATE",
        "INSERT INTO audit.policy VALUES (2, 1)",
        "UPDATE audit.policy SET retention_seconds = 1",
        "DELETE FROM audit.policy",
        "ALTER TABLE audit.events DISABLE TRIGGER chain",
        "DROP TRIGGER chain ON audit.events",
        "CREATE OR REPLACE FUNCTION audit.canonical(e audit.events) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
        "SET session_replication_role = replica",
    ],
)
async def test_the_server_can_only_add_to_the_trail(runtime: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await runtime.execute(statement)


async def test_a_row_that_is_skipped_for_its_id_leaves_no_gap(world: World, runtime: asyncpg.Connection) -> None:
    id_ = uuid4()
    await runtime.execute(INSERT, id_, AT, "{}")

    with pytest.raises(asyncpg.UniqueViolationError):
        await runtime.execute(f"{INSERT} ON CONFLICT DO NOTHING", id_, AT, "{}")
    with pytest.raises(asyncpg.UniqueViolationError):
        await runtime.execute(
            "INSERT INTO audit.events (id, at, name, severity, detail) "
            "SELECT $1, now(), 'test', 'info', '{}' FROM generate_series(1, 2) ON CONFLICT DO NOTHING",
            uuid4(),
        )

    assert (await examined(world.services)).fault is None


async def test_a_transaction_that_is_undone_leaves_no_gap(world: World, runtime: asyncpg.Connection) -> None:
    undone = runtime.transaction()
    await undone.start()
    await runtime.execute(INSERT, uuid4(), AT, "{}")
    await undone.rollback()
    await runtime.execute(INSERT, uuid4(), AT, "{}")

    assert (await examined(world.services)).fault is None


async def test_a_young_day_cannot_be_pruned_by_the_server(world: World, runtime: asyncpg.Connection) -> None:
    await world.services.events.record(SignInFailed(cause="test"))

    assert await runtime.fetch("SELECT * FROM audit.prune()") == []


async def test_a_trail_without_a_policy_is_never_pruned(world: World, runtime: asyncpg.Connection) -> None:
    day = await chained_day(world.database, 3)
    # A node that another test has started over the same database may have set one.
    await world.database.execute("DELETE FROM audit.policy")
    assert await world.services.audit.retention() is None

    assert await world.services.audit.prune() == 0

    assert (await examined(world.services, day)).events == 3


Tamper = tuple[str, Fault, int | None]
TAMPERINGS: dict[str, Tamper] = {
    "a changed actor": ("UPDATE audit.events SET actor = 'x' WHERE day = $1 AND seq = 3", Fault.CHANGED, 3),
    "a changed instant": (
        "UPDATE audit.events SET at = at + interval '1 microsecond' WHERE day = $1 AND seq = 3",
        Fault.CHANGED,
        3,
    ),
    "a changed detail": (
        """UPDATE audit.events SET detail = '{"a": 2}' WHERE day = $1 AND seq = 3""",
        Fault.CHANGED,
        3,
    ),
    "a changed digest": ("UPDATE audit.events SET digest = sha256('x') WHERE day = $1 AND seq = 3", Fault.CHANGED, 3),
    "a missing first row": ("DELETE FROM audit.events WHERE day = $1 AND seq = 1", Fault.MISSING, 1),
    "a missing row": ("DELETE FROM audit.events WHERE day = $1 AND seq = 3", Fault.MISSING, 3),
    "rows in another order": (
        "UPDATE audit.events SET seq = CASE seq WHEN 3 THEN 1003 ELSE 1004 END WHERE day = $1 AND seq IN (3, 4)",
        Fault.MISSING,
        3,
    ),
    "a missing end": ("DELETE FROM audit.events WHERE day = $1 AND seq > 3", Fault.MISSING_END, 4),
    "missing rows": ("DELETE FROM audit.events WHERE day = $1", Fault.MISSING_END, 1),
    "a missing head": ("DELETE FROM audit.heads WHERE day = $1", Fault.NO_HEAD, None),
    "another head": ("UPDATE audit.heads SET digest = sha256('x') WHERE day = $1", Fault.CHANGED, 5),
    "a head that is behind": (
        "UPDATE audit.heads SET seq = 4, digest = (SELECT digest FROM audit.events WHERE day = $1 AND seq = 4) WHERE day = $1",
        Fault.EXTRA_ROWS,
        5,
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_whatever_is_changed_is_found_where_it_was(world: World, tampering: str) -> None:
    statement, fault, place = TAMPERINGS[tampering]
    day = await chained_day(world.database, 5)
    assert (await examined(world.services, day)).fault is None

    await world.database.execute(statement, day)

    found = await examined(world.services, day)
    assert (found.fault, found.seq) == (fault, place)
    assert (await examined(world.services)).fault is None


async def test_a_day_that_was_made_anew_does_not_have_the_digest_that_was_kept(world: World) -> None:
    day = await chained_day(world.database, 5)
    kept = await world.database.fetchval("SELECT digest FROM audit.heads WHERE day = $1", day)
    await world.database.execute("DELETE FROM audit.events WHERE day = $1", day)
    await world.database.execute("DELETE FROM audit.heads WHERE day = $1", day)
    await chained_day(world.database, 4, day)

    days = {one.day: one async for one in world.services.audit_verification.days({day: kept})}

    assert days[day].fault is Fault.OTHER_DIGEST


async def test_a_digest_that_was_kept_in_the_middle_of_a_day_still_holds_at_its_end(world: World) -> None:
    day = await chained_day(world.database, 5)
    kept = await world.database.fetchval("SELECT digest FROM audit.events WHERE day = $1 AND seq = 2", day)

    days = {one.day: one async for one in world.services.audit_verification.days({day: kept})}

    assert days[day].fault is None


async def test_a_day_that_is_over_is_closed_once_and_missed_when_it_is_gone(world: World) -> None:
    day = await chained_day(world.database, 5)

    await asyncio.gather(*(world.services.audit.close_days() for _ in range(5)))
    await world.services.audit.close_days()

    [closed] = [event for event in await world.events("audit_day_closed") if event["detail"]["day"] == str(day)]
    assert closed["detail"] == {
        "day": str(day),
        "count": 5,
        "digest": (await world.database.fetchval("SELECT digest FROM audit.heads WHERE day = $1", day)).hex(),
    }
    await world.database.execute("DELETE FROM audit.events WHERE day = $1", day)
    await world.database.execute("DELETE FROM audit.heads WHERE day = $1", day)
    assert (await examined(world.services, day)).fault is Fault.NO_DAY


async def test_a_day_that_was_made_anew_is_not_the_one_that_was_closed(world: World) -> None:
    day = await chained_day(world.database, 5)
    await world.services.audit.close_days()
    await world.database.execute("DELETE FROM audit.events WHERE day = $1", day)
    await world.database.execute("DELETE FROM audit.heads WHERE day = $1", day)
    await chained_day(world.database, 4, day)

    assert (await examined(world.services, day)).fault is Fault.OTHER_DIGEST


CLOSINGS = ["{}", "[]", "7", '{"day": "x", "digest": ""}', '{"day": 7}', '{"day": "1899-01-01", "digest": 7}']


@pytest.mark.parametrize("detail", CLOSINGS)
async def test_a_closing_that_cannot_be_read_is_a_changed_row_like_any_other(world: World, detail: str) -> None:
    later = await chained_day(world.database, 2, name="audit_pruned", detail='{"day": "1899-01-01", "count": 1}')
    other = await chained_day(world.database, 3)
    await world.database.execute(
        "UPDATE audit.events SET name = 'audit_day_closed', detail = $2 WHERE day = $1 AND seq = 2", later, detail
    )

    days = {one.day: one async for one in world.services.audit_verification.days({})}

    assert (days[later].fault, days[other].fault) == (Fault.CHANGED, None)


async def test_the_day_that_goes_on_is_not_closed(world: World) -> None:
    await world.services.events.record(SignInFailed(cause="test"))

    await world.services.audit.close_days()

    today = str(datetime.now(UTC).date())
    assert [event for event in await world.events("audit_day_closed") if event["detail"]["day"] == today] == []


async def test_verifying_while_others_write_finds_nothing(world: World) -> None:
    async def writes() -> None:
        for _ in range(50):
            await world.services.events.record(SignInFailed(cause="test"))

    async def verifies() -> list[ExaminedDay]:
        return [await examined(world.services) for _ in range(5)]

    *_, found = await asyncio.gather(writes(), writes(), writes(), verifies())

    assert {day.fault for day in found} == {None}


async def test_a_day_longer_than_a_page_is_walked_to_its_end(world: World) -> None:
    day = await chained_day(world.database, 2100)

    found = await examined(world.services, day)

    assert (found.events, found.fault) == (2100, None)
    await world.database.execute("DELETE FROM audit.events WHERE day = $1 AND seq = 2050", day)
    assert (await examined(world.services, day)).seq == 2050


@pytest.fixture(autouse=True)
async def _no_old_days(world: World) -> AsyncIterator[None]:
    """What a test leaves of days long ago would be another test's fault to find."""
    yield
    async with without_chain(world.database) as connection:
        for table in ("events", "heads"):
            await connection.execute(f"DELETE FROM audit.{table} WHERE day < current_date - 2")
