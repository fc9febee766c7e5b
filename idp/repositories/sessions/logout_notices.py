"""The queue of back-channel logout in Postgres: who ends sessions writes into it within the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from idp.database.postgres import Postgres
from idp.domain.audit.events import LogoutNoticeDropped
from idp.domain.sessions.logout_notices import LogoutNotice
from idp.repositories.audit.events import AuditTrail, uuid7

QUEUE = """
INSERT INTO logout_notices (id, client_id, user_id, session_id, created_at, attempts, next_at)
SELECT e.id, e.client_id, e.user_id, e.session_id, now(), 0, now()
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[]) AS e (id, client_id, user_id, session_id)
JOIN clients c ON c.client_id = e.client_id AND c.enabled AND c.backchannel_logout_uri IS NOT NULL
"""

# As for mails: SKIP LOCKED and the lease part the notices among processes. One of each client, so that a client with many
# that wait keeps nobody else's waiting; only the oldest are looked at, so that many cost no more than a thousand.
CLAIM = """
UPDATE logout_notices SET attempts = attempts + 1, next_at = now() + $2
WHERE id IN (
    SELECT id FROM logout_notices WHERE next_at <= now() AND id IN (
        SELECT DISTINCT ON (client_id) id FROM (
            SELECT id, client_id, next_at FROM logout_notices WHERE next_at <= now() AND client_id <> ALL($3::text[])
            ORDER BY next_at LIMIT 1000
        ) due ORDER BY client_id, next_at
    ) ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING id, client_id, user_id, session_id, created_at, attempts
"""

# Only by who has claimed it last: *attempts* tells.
POSTPONE = "UPDATE logout_notices SET next_at = now() + $3 WHERE id = $1 AND attempts = $2"
DELETE = "DELETE FROM logout_notices WHERE id = $1 AND attempts = $2 RETURNING id"


async def queue(connection: asyncpg.Connection, ended: Sequence[asyncpg.Record]) -> None:
    """
    For each client of *ended* that wants to be told. In the caller's transaction, before its events; the rows have `id`,
    `user_id` and `client_id` of sessions.
    """
    if ended:
        columns = [[row[name] for row in ended] for name in ("client_id", "user_id", "id")]
        await connection.execute(QUEUE, [uuid7() for _ in ended], *columns)


class PostgresLogoutNotices:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def claim(self, most: int, lease: timedelta, *, beside: Sequence[str]) -> list[LogoutNotice]:
        async with self._postgres.connection() as connection:
            rows = await connection.fetch(CLAIM, most, lease, list(beside))
        return [LogoutNotice(**dict(row)) for row in rows]

    async def told(self, notice: LogoutNotice) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(DELETE, notice.id, notice.attempts)

    async def postpone(self, notice: LogoutNotice, span: timedelta) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(POSTPONE, notice.id, notice.attempts, span)

    async def drop(self, notice: LogoutNotice, reason: str) -> None:
        event = LogoutNoticeDropped(
            user_id=notice.user_id,
            client_id=notice.client_id,
            session_id=notice.session_id,
            attempts=notice.attempts,
            reason=reason,
        )
        async with self._postgres.transaction() as connection:
            if await connection.fetchval(DELETE, notice.id, notice.attempts) is None:
                return
            await self._trail.write(connection, event)
        self._trail.announce(event)
