"""Sessions of everybody in Postgres, for lists: what concerns one session is in `idp.repositories.sessions.sessions`."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.session_records import SessionFilter, SessionRecord
from idp.repositories.conditions import Conditions
from idp.repositories.reading import Reading
from idp.repositories.sessions.sessions import COLUMNS, session_of

LIVE = "s.revoked_at IS NULL AND s.expires_at > now()"
BEGIN = "(s.created_at, s.id) < ({}::timestamptz, {}::uuid)"
PAGE = f"""
SELECT {", ".join(f"s.{column}" for column in COLUMNS)}, u.email FROM sessions s JOIN users u ON u.id = s.user_id
{{where}} ORDER BY s.created_at DESC, s.id DESC LIMIT {{limit}}
"""  # noqa: S608 - the names of a dataclass' fields


class PostgresSessionRecords:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def page(self, wanted: SessionFilter, limit: int, after: Place | None = None) -> Page[SessionRecord]:
        conditions = Conditions()
        conditions.add(LIVE)
        if wanted.user_id is not None:
            conditions.add("s.user_id = {}", wanted.user_id)
        if wanted.client_id is not None:
            conditions.add("s.client_id = {}", wanted.client_id)
        if after is not None:
            conditions.add(BEGIN, after.at, UUID(after.id))
        query = PAGE.format(where=conditions.where(), limit=limit + 1)
        rows = await self._reading.fetch(query, *conditions.arguments)
        return Page.of([_record(row) for row in rows], limit, _place)


def _record(row: asyncpg.Record) -> SessionRecord:
    return SessionRecord(session=session_of(row), email=row["email"])


def _place(record: SessionRecord) -> Place:
    return Place(record.session.created_at, str(record.session.id))
