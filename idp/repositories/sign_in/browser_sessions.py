"""Browser sessions: the record in Postgres, the clock of their use in Redis, `bs:{digest}`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog

from idp.database import scripts
from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.domain.audit.events import Event, Reauthenticated, SignedIn, SignedOut
from idp.domain.errors import StoreUnavailable
from idp.domain.sessions.sessions import RevokedReason, Session
from idp.domain.sign_in.browser_sessions import BrowserSession, EndedReason, Visitor
from idp.domain.sign_in.user_agents import device_label
from idp.repositories.accounts.users import user_of_record
from idp.repositories.audit.events import AuditTrail
from idp.repositories.sessions import logout_notices
from idp.repositories.sessions.sessions import SESSION, revocation_of, session_of

log = structlog.get_logger("idp.browser_sessions")

PUT = scripts.load("put")
TOUCH = scripts.load("touch")
FORGET = scripts.load("forget")
# The record learns of a use when the last one that it knows of is this old.
CHECKPOINT = timedelta(minutes=1)

COLUMNS = [field.name for field in fields(BrowserSession)]
LIST = ", ".join(COLUMNS)
PLACES = ", ".join(f"${place}" for place in range(1, len(COLUMNS) + 1))
# FOR SHARE: a disable or a sign-out everywhere either sees this session or stops it.
INSERT = f"""
INSERT INTO browser_sessions ({LIST}, token_digest) SELECT {PLACES}, ${len(COLUMNS) + 1} FROM users u
WHERE u.id = $2 AND u.status = 'active' AND u.auth_epoch = $4 FOR SHARE RETURNING id
"""  # noqa: S608 - the names of a dataclass' fields
FIND = f"""
SELECT {", ".join(f"b.{column} AS b_{column}" for column in COLUMNS)}, u.*
FROM browser_sessions b JOIN users u ON u.id = b.user_id
WHERE b.token_digest = $1 AND b.ended_at IS NULL AND b.expires_at > now()
    AND u.status = 'active' AND u.auth_epoch = b.auth_epoch
"""  # noqa: S608
RENEW = """
UPDATE browser_sessions b SET token_digest = $2, auth_time = $3, amr = $4, remembered = $5, expires_at = $6, last_used_at = $7
FROM users u WHERE b.id = $1 AND b.ended_at IS NULL AND u.id = b.user_id AND u.status = 'active' AND u.auth_epoch = b.auth_epoch
RETURNING b.id
"""
USED = "UPDATE browser_sessions SET last_used_at = $2 WHERE id = $1 AND ended_at IS NULL AND last_used_at < $2"
END = """
UPDATE browser_sessions SET ended_at = now(), ended_reason = $2 WHERE id = $1 AND ended_at IS NULL
RETURNING id, user_id, token_digest
"""
END_CLIENTS = f"""
UPDATE sessions SET revoked_at = now(), revoked_reason = $2
WHERE browser_session_id = $1 AND revoked_at IS NULL AND expires_at > now() RETURNING {SESSION}
"""  # noqa: S608
LIVE = f"""
SELECT {", ".join(f"b.{column}" for column in COLUMNS)} FROM browser_sessions b JOIN users u ON u.id = b.user_id
WHERE b.user_id = $1 AND b.ended_at IS NULL AND b.expires_at > now() AND u.auth_epoch = b.auth_epoch
ORDER BY b.created_at DESC
"""  # noqa: S608
PURGE = "DELETE FROM browser_sessions WHERE id IN (SELECT id FROM browser_sessions WHERE expires_at < $1 LIMIT $2)"


class StoredBrowserSessions:
    def __init__(self, postgres: Postgres, redis: RedisStore, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._redis = redis
        self._trail = trail

    async def start(self, session: BrowserSession, digest: str) -> bool:
        device = device_label(session.user_agent)
        event = SignedIn(user_id=session.user_id, session_id=session.id, device=device)
        values = [getattr(session, column) for column in COLUMNS]
        async with self._postgres.transaction() as connection:
            started = await connection.fetchval(INSERT, *values, digest) is not None
            if started:
                await self._trail.write(connection, event)
        if started:
            self._trail.announce(event)
        return started

    async def find(self, digest: str, idle: timedelta) -> Visitor | None:
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow(FIND, digest)
        if row is None:
            return None
        session = _session(row, "b_")
        now = datetime.now(UTC)
        lives_for = session.expires_at - now if session.remembered else idle
        if not await self._in_use(digest, session, lives_for, now):
            return None
        if now - session.last_used_at > CHECKPOINT:
            await self._note_use(session.id, now)
        user = {name: value for name, value in row.items() if not name.startswith("b_")}
        return Visitor(session, user_of_record(user))

    async def renew(self, session: BrowserSession, digest: str) -> bool:
        device = device_label(session.user_agent)
        event = Reauthenticated(user_id=session.user_id, session_id=session.id, device=device)
        async with self._postgres.transaction() as connection:
            renewed = await connection.fetchval(
                RENEW,
                session.id,
                digest,
                session.auth_time,
                session.amr,
                session.remembered,
                session.expires_at,
                session.last_used_at,
            )
            if renewed is not None:
                await self._trail.write(connection, event)
        if renewed is not None:
            self._trail.announce(event)
        return renewed is not None

    async def end(self, session_id: UUID, reason: EndedReason, *, clients: bool = True) -> Sequence[Session]:
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(END, session_id, reason)
            if row is None:
                return []
            ended = await connection.fetch(END_CLIENTS, session_id, RevokedReason.LOGOUT) if clients else []
            await logout_notices.queue(connection, ended)
            events: list[Event] = [SignedOut(user_id=row["user_id"], session_id=session_id, reason=reason.value)]
            events += [revocation_of(session, RevokedReason.LOGOUT) for session in ended]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        await self._forget(row["token_digest"])
        return list(map(session_of, ended))

    async def list_of(self, user_id: UUID) -> list[BrowserSession]:
        async with self._postgres.connection() as connection:
            return [_session(row) for row in await connection.fetch(LIVE, user_id)]

    async def purge(self, before: datetime, most: int) -> int:
        async with self._postgres.connection() as connection:
            return int((await connection.execute(PURGE, before, most)).split()[-1])

    async def _in_use(self, digest: str, session: BrowserSession, lives_for: timedelta, now: datetime) -> bool:
        """By the clock in Redis; by the record's own where Redis knows nothing, or is down."""
        if session.last_used_at + lives_for + CHECKPOINT < now:
            return False  # unused for longer than any clock could have missed
        keys, lifetime = _keys(digest), int(lives_for.total_seconds() * 1000)
        by_record = session.last_used_at + lives_for > now
        try:
            known = await self._redis.run(TOUCH, keys, lifetime)
            if not known and by_record:
                await self._redis.run(PUT, keys, 1, lifetime)
        except StoreUnavailable:
            return by_record
        return bool(known) or by_record

    async def _note_use(self, session_id: UUID, now: datetime) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(USED, session_id, now)

    async def _forget(self, digest: str) -> None:
        try:
            await self._redis.run(FORGET, _keys(digest))
        except StoreUnavailable as fault:
            log.warning("clock_not_forgotten", reason=str(fault))  # it opens nothing, and expires by itself


def _session(row: asyncpg.Record, prefix: str = "") -> BrowserSession:
    values = {column: row[prefix + column] for column in COLUMNS}
    return BrowserSession(**values | {"amr": tuple(values["amr"])})


def _keys(digest: str) -> tuple[bytes]:
    return (b"bs:" + digest.encode(),)
