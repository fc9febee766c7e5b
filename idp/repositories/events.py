"""The audit trail: a row in `audit.events` and one line in the log for each event."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from idp.database.postgres import Postgres
from idp.domain.events import Event, origin

INSERT = """
INSERT INTO audit.events (id, at, name, severity, user_id, client_id, session_id, actor, address, request_id, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)
"""


class AuditTrail:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._log = structlog.get_logger("idp.audit")

    async def record(self, event: Event) -> None:
        async with self._postgres.connection() as connection:
            await self.write(connection, event)
        self.announce(event)

    async def write(self, connection: asyncpg.Connection, *events: Event) -> None:
        """Within the caller's transaction. The caller announces the events once that is committed."""
        await connection.executemany(INSERT, [_row(event) for event in events])

    def announce(self, *events: Event) -> None:
        for event in events:
            where = origin.get()
            known = {
                "user_id": event.user_id and str(event.user_id),
                "client_id": event.client_id,
                "session_id": event.session_id and str(event.session_id),
                "actor": where.actor,
                "address": where.address,
                "request_id": where.request_id,
                **event.detail,
            }
            line = {name: value for name, value in known.items() if value is not None}
            getattr(self._log, event.severity)(event.name, **line)


def _row(event: Event) -> tuple[Any, ...]:
    where = origin.get()
    return (
        uuid7(),
        datetime.now(UTC),
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
