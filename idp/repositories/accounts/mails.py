"""The queue of mails in Postgres: the outbox that a change writes into within its own transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.database.tables import LONGEST_CANONICAL
from idp.domain.accounts.mails import CAPPED, MOST_AN_HOUR, MailKind, QueuedMail
from idp.domain.accounts.users import canonical_email
from idp.domain.audit.events import MailDropped, origin
from idp.repositories.audit.events import AuditTrail, uuid7

# Whoever queues for one address waits for the one before: each counts what the other has queued.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('mails ' || $1, 0))"

INSERT = """
INSERT INTO mails (id, kind, recipient, recipient_norm, user_id, params, created_at, next_at, attempts)
SELECT $1, $2::varchar, $3, $4::varchar, $5, $6::jsonb, now(), now(), 0
WHERE $7::int IS NULL OR $7 > (
    SELECT count(*) FROM mails WHERE recipient_norm = $4::varchar AND kind = $2::varchar AND created_at > now() - interval '1 hour'
)
"""

# SKIP LOCKED and the lease: of many processes each claims others, and what a process that died had claimed comes back.
# A kind that this version does not know is left to those of a newer one.
CLAIM = """
UPDATE mails SET attempts = attempts + 1, next_at = now() + $2
WHERE id IN (
    SELECT id FROM mails WHERE sent_at IS NULL AND dropped_at IS NULL AND next_at <= now() AND kind = ANY($3::text[])
    ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, recipient, user_id, params, created_at, attempts
"""

# Only by who has claimed it last: *attempts* tells.
OURS = "WHERE id = $1 AND attempts = $2 AND sent_at IS NULL AND dropped_at IS NULL"
SENT = f"UPDATE mails SET sent_at = now() {OURS}"  # noqa: S608
POSTPONE = f"UPDATE mails SET next_at = now() + $3 {OURS}"  # noqa: S608
DROP = f"UPDATE mails SET dropped_at = now() {OURS} RETURNING id"  # noqa: S608

PURGE = """
DELETE FROM mails WHERE id IN (
    SELECT id FROM mails WHERE (sent_at IS NOT NULL OR dropped_at IS NOT NULL) AND created_at < $1 LIMIT $2
)
"""


class PostgresMails:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail
        self._arrived = asyncio.Event()

    async def enqueue(self, kind: MailKind, recipient: str, user_id: UUID | None = None, **params: str) -> None:
        async with self._postgres.transaction() as connection:
            await self.write(connection, kind, recipient, user_id, **params)
        self.announce()

    async def write(
        self,
        connection: asyncpg.Connection,
        kind: MailKind,
        recipient: str,
        user_id: UUID | None = None,
        **params: str,
    ) -> None:
        """Within the caller's transaction, before its events. The caller announces it once that is committed."""
        await self._write(connection, kind, recipient, user_id, params, MOST_AN_HOUR if kind in CAPPED else None)

    async def write_none(self, connection: asyncpg.Connection, kind: MailKind, recipient: str) -> None:
        """The statements of `write` and no mail, so that an address without an account takes as long as one with."""
        await self._write(connection, kind, recipient, None, {}, 0)

    async def _write(
        self,
        connection: asyncpg.Connection,
        kind: MailKind,
        recipient: str,
        user_id: UUID | None,
        params: Mapping[str, str],
        cap: int | None,
    ) -> None:
        canonical = canonical_email(recipient)
        if len(canonical) > LONGEST_CANONICAL:
            return  # no account has such an address
        where = origin.get()
        # An administrator's own address is no business of who gets the mail.
        cause = {"address": None if where.actor else where.address, "request_id": where.request_id}
        known = {name: value for name, value in {**cause, **params}.items() if value is not None}
        if cap is not None:
            await connection.execute(LOCK, canonical)
        await connection.execute(
            INSERT, uuid7(), kind, recipient, canonical, user_id, orjson.dumps(known).decode(), cap
        )

    def announce(self) -> None:
        self._arrived.set()

    async def arrival(self, within: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), within.total_seconds())
        self._arrived.clear()

    async def claim(self, most: int, lease: timedelta) -> list[QueuedMail]:
        async with self._postgres.connection() as connection:
            rows = await connection.fetch(CLAIM, most, lease, list(MailKind))
        return sorted(map(_mail, rows), key=lambda mail: mail.created_at)

    async def sent(self, mail: QueuedMail) -> None:
        await self._mark(SENT, mail)

    async def postpone(self, mail: QueuedMail, span: timedelta) -> None:
        await self._mark(POSTPONE, mail, span)

    async def forget(self, mail: QueuedMail) -> None:
        await self._mark(DROP, mail)

    async def drop(self, mail: QueuedMail, reason: str) -> None:
        event = MailDropped(user_id=mail.user_id, kind=mail.kind, mail_id=str(mail.id), reason=reason)
        async with self._postgres.transaction() as connection:
            if await connection.fetchval(DROP, mail.id, mail.attempts) is None:
                return
            await self._trail.write(connection, event)
        self._trail.announce(event)

    async def purge(self, before: datetime, most: int) -> int:
        async with self._postgres.connection() as connection:
            return int((await connection.execute(PURGE, before, most)).split()[-1])

    async def _mark(self, statement: str, mail: QueuedMail, *arguments: object) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(statement, mail.id, mail.attempts, *arguments)


def _mail(row: asyncpg.Record) -> QueuedMail:
    return QueuedMail(
        id=row["id"],
        kind=MailKind(row["kind"]),
        recipient=row["recipient"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        params=orjson.loads(row["params"]),
    )
