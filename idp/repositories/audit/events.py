"""Writing the audit trail: a row in `audit.events` and one line in the log for each event."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from idp.database.postgres import Postgres
from idp.domain.audit.events import Event, Occurrence, Origin, origin

INSERT = """
INSERT INTO audit.events (id, at, name, severity, user_id, client_id, session_id, actor, address, request_id, detail)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[], $8::text[],
    $9::text[], $10::text[], $11::jsonb[])
"""


def _unobserved(_: str, __: str | None) -> None:
    pass


class AuditTrail:
    """*on_event* is told the name of each event that was written, and its cause if it has one."""

    def __init__(self, postgres: Postgres, on_event: Callable[[str, str | None], None] = _unobserved) -> None:
        self._postgres = postgres
        self._log = structlog.get_logger("idp.audit")
        self._on_event = on_event

    async def record(self, event: Event) -> None:
        async with self._postgres.connection() as connection:
            await self.write(connection, event)
        self.announce(event)

    async def record_all(self, occurrences: Sequence[Occurrence]) -> None:
        async with self._postgres.connection() as connection:
            await self.write_all(connection, occurrences)
        self.announce_all(occurrences)

    async def write(self, connection: asyncpg.Connection, *events: Event) -> None:
        """
        Within the caller's transaction, as its last statement: it takes the lock of the day's chain, which others wait for
        until the caller commits. The caller announces the events once that is done.
        """
        now, where = datetime.now(UTC), origin.get()
        await self.write_all(connection, [Occurrence(event, now, where) for event in events])

    async def write_all(self, connection: asyncpg.Connection, occurrences: Sequence[Occurrence]) -> None:
        """In one statement, so that the chain is locked for one round trip."""
        if occurrences:
            await connection.execute(INSERT, *map(list, zip(*map(_row, occurrences), strict=True)))

    def announce(self, *events: Event) -> None:
        for event in events:
            self._announce(event, origin.get())

    def announce_all(self, occurrences: Sequence[Occurrence]) -> None:
        for occurrence in occurrences:
            self._announce(occurrence.event, occurrence.origin)

    def _announce(self, event: Event, where: Origin) -> None:
        detail = event.detail
        known = {
            "user_id": event.user_id and str(event.user_id),
            "client_id": event.client_id,
            "session_id": event.session_id and str(event.session_id),
            "actor": where.actor,
            "address": where.address,
            "request_id": where.request_id,
            **detail,
        }
        line = {name: value for name, value in known.items() if value is not None}
        getattr(self._log, event.severity)(event.name, **line)
        cause = detail.get("cause")
        self._on_event(event.name, cause if isinstance(cause, str) else None)


def _row(occurrence: Occurrence) -> tuple[Any, ...]:
    event, where = occurrence.event, occurrence.origin
    return (
        uuid7(),
        occurrence.at,
        event.name,
        event.severity,
        event.user_id,
        event.client_id,
        event.session_id,
        where.actor,
        where.address,
        where.request_id,
        orjson.dumps(event.detail).decode(),
    )


def uuid7() -> UUID:
    """Ordered by time (RFC 9562, section 5.7), so that the index grows at its end. For rows that stay inside only."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
