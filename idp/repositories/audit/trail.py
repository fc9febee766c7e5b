"""Reading the audit trail, closing its days and letting it grow no older than the owner's policy says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.domain.audit.events import AuditDayClosed, AuditPruned
from idp.domain.audit.trail import Closing, EventFilter, Head, Link, RecordedEvent
from idp.domain.operation.pages import Page, Place
from idp.repositories.audit.events import AuditTrail
from idp.repositories.reading import Reading

COLUMNS = "id, at, name, severity, user_id, client_id, session_id, actor, address, request_id, detail"
PAGE = 1000
FIRST_PLACE = -(2**63)  # whatever somebody wrote there
# A day of a large trail is deleted in one statement.
PRUNE_DEADLINE = 600.0

CONDITIONS = {
    "name": "name = {}",
    "names": "name = ANY({}::text[])",
    "severity": "severity = {}",
    "user_id": "user_id = {}",
    "client_id": "client_id = {}",
    "actor": "actor = {}",
    "address": "address = {}",
    "since": "at >= {}",
    "until": "at < {}",
}

# From one day to the next along the index: there are few days and many events.
DAYS = """
WITH RECURSIVE found AS (
    (SELECT day FROM audit.events ORDER BY day LIMIT 1)
    UNION ALL
    SELECT (SELECT e.day FROM audit.events e WHERE e.day > found.day ORDER BY e.day LIMIT 1) FROM found
    WHERE found.day IS NOT NULL
)
SELECT day FROM found WHERE day IS NOT NULL UNION SELECT day FROM audit.heads ORDER BY day
"""

LINKS = """
SELECT e.seq, e.digest, audit.canonical(e) AS text FROM audit.events e
WHERE e.day = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq LIMIT $4
"""

CLOSINGS = "SELECT name, detail FROM audit.events WHERE name IN ('audit_day_closed', 'audit_pruned') ORDER BY at"

# A minute later than midnight: by then every transaction that began before it has ended, by the role's own time-outs.
OPEN_DAYS = """
SELECT day, seq, digest FROM audit.heads h
WHERE (day + 1)::timestamp + interval '1 minute' <= clock_timestamp() AT TIME ZONE 'UTC' AND NOT EXISTS (
    SELECT FROM audit.events e WHERE e.name = 'audit_day_closed' AND e.detail ->> 'day' = h.day::text
) ORDER BY day
"""

TURN = "SELECT pg_try_advisory_xact_lock(hashtext('idp'), hashtext($1))"


class PostgresAudit:
    """`idp.domain.audit.trail.AuditTrail`."""

    def __init__(self, postgres: Postgres, reading: Reading, trail: AuditTrail) -> None:
        """Events are listed from *reading*; the chain is verified, closed and pruned in *postgres*, where it grows."""
        self._postgres = postgres
        self._reading = reading
        self._trail = trail

    async def page(self, wanted: EventFilter, limit: int, after: Place | None) -> Page[RecordedEvent]:
        query, arguments = _query(wanted, limit + 1, after)
        found = [_recorded(row) for row in await self._reading.fetch(query, *arguments)]
        return Page.of(found, limit, lambda event: Place(event.at, str(event.id)))

    async def every(self, wanted: EventFilter) -> AsyncIterator[RecordedEvent]:
        page = await self.page(wanted, PAGE, None)
        while True:
            for event in page.items:
                yield event
            if page.following is None:
                return
            page = await self.page(wanted, PAGE, page.following)

    async def days(self) -> Sequence[date]:
        async with self._postgres.connection() as connection:
            return [row["day"] for row in await connection.fetch(DAYS)]

    async def head(self, day: date) -> Head | None:
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow("SELECT day, seq, digest FROM audit.heads WHERE day = $1", day)
        return Head(**row) if row else None

    async def links(self, day: date, upto: int) -> AsyncIterator[Link]:
        place, size = FIRST_PLACE, PAGE
        while size == PAGE:
            async with self._postgres.connection() as connection:
                rows = await connection.fetch(LINKS, day, place, upto, PAGE)
            for row in rows:
                yield Link(**row)
            size = len(rows)
            place = rows[-1]["seq"] if rows else place

    async def last_place(self, day: date) -> int:
        async with self._postgres.connection() as connection:
            return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM audit.events WHERE day = $1", day))

    async def closings(self) -> Mapping[date, Closing]:
        async with self._postgres.connection() as connection:
            rows = await connection.fetch(CLOSINGS)
        return dict(filter(None, map(_closing, rows)))

    async def close_days(self) -> int:
        async with self._postgres.transaction() as connection:
            if not await connection.fetchval(TURN, "audit days"):
                return 0
            heads = await connection.fetch(OPEN_DAYS)
            events = [
                AuditDayClosed(day=head["day"].isoformat(), count=head["seq"], digest=head["digest"].hex())
                for head in heads
            ]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return len(events)

    async def prune(self) -> int:
        pruned = 0
        while (events := await self._prune_day()) is not None:
            pruned += events
        return pruned

    async def _prune_day(self) -> int | None:
        """The oldest day, if it is old enough and no other process is at it."""
        async with self._postgres.connection(PRUNE_DEADLINE) as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{PRUNE_DEADLINE:.0f}s'")
            if not await connection.fetchval(TURN, "audit prune"):
                return None
            row = await connection.fetchrow("SELECT * FROM audit.prune()", timeout=PRUNE_DEADLINE)
            if row is None:
                return None
            event = AuditPruned(day=row["pruned_day"].isoformat(), count=row["events"])
            await self._trail.write(connection, event)
        self._trail.announce(event)
        return event.count

    async def retention(self) -> timedelta | None:
        async with self._postgres.connection() as connection:
            seconds = await connection.fetchval("SELECT retention_seconds FROM audit.policy")
        return None if seconds is None else timedelta(seconds=seconds)


def _query(wanted: EventFilter, limit: int, after: Place | None) -> tuple[str, list[Any]]:
    given = {name: value for name in CONDITIONS if (value := getattr(wanted, name)) is not None}
    conditions = [CONDITIONS[name].format(f"${place}") for place, name in enumerate(given, 2)]
    arguments = [limit, *given.values()]
    if after is not None:
        conditions.append(f"(at, id) < (${len(arguments) + 1}, ${len(arguments) + 2})")
        arguments += [after.at, UUID(after.id)]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {COLUMNS} FROM audit.events {where} ORDER BY at DESC, id DESC LIMIT $1", arguments  # noqa: S608 - texts of ours


def _closing(row: asyncpg.Record) -> tuple[date, Closing] | None:
    """None for what this server never writes: somebody changed the row, and its own day tells so."""
    detail, pruned = orjson.loads(row["detail"]), row["name"] == "audit_pruned"
    try:
        return date.fromisoformat(detail["day"]), Closing(None if pruned else bytes.fromhex(detail["digest"]), pruned)
    except (KeyError, TypeError, ValueError):
        return None


def _recorded(row: asyncpg.Record) -> RecordedEvent:
    return RecordedEvent(**dict(row) | {"detail": orjson.loads(row["detail"])})
