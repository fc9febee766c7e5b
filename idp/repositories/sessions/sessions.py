"""Sessions in Postgres, by SQL: each of these is read or decided in one statement, and the first is read at every refresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from idp.database.batches import Batches
from idp.database.postgres import Postgres
from idp.domain.accounts.mails import MailKind
from idp.domain.accounts.users import Role, UserStatus
from idp.domain.audit.events import ClientSignedIn, Event, RefreshTokenReused, SessionRevoked, SignedIn
from idp.domain.sessions.sessions import EndedUsers, RevokedReason, Session, SessionState, Use
from idp.domain.sign_in.user_agents import device_label
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.audit.events import AuditTrail
from idp.repositories.sessions import logout_notices

COLUMNS = [field.name for field in fields(Session)]
SESSION = ", ".join(COLUMNS)
# A refresh has no use for these, and they are the longest of a row.
SHOWN_ONLY = {"address", "user_agent", "last_address"}
HOT = [column for column in COLUMNS if column not in SHOWN_ONLY]
STATE = f"""
SELECT {", ".join(f"s.{column}" for column in HOT)},
    u.email, u.email_verified, u.name, u.roles, u.status, u.auth_epoch AS user_epoch{{more}}
FROM sessions s JOIN users u ON u.id = s.user_id WHERE
"""  # noqa: S608 - the names of a dataclass' fields

BY_FAMILIES = STATE.format(more="") + "s.family_id = ANY($1::uuid[])"
BY_ID = (
    STATE.format(more=", u.updated_at AS user_updated_at")
    + "s.id = $1 AND NOT EXISTS (SELECT FROM revoked_tokens WHERE jti = $2)"
)

# FOR SHARE: a disable, a sign-out everywhere or a consent withdrawn either sees this session or stops it.
INSERT = """
INSERT INTO sessions (id, family_id, user_id, client_id, scope, audience, auth_time, auth_epoch, created_at, expires_at, gen_floor,
    address, user_agent, last_used_at, last_address, browser_session_id, amr, requested_claims)
SELECT $1, $2, u.id, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $9, $11, $13, $14, $15 FROM users u
WHERE u.id = $3 AND u.status = 'active' AND u.auth_epoch = $8 AND ($13::uuid IS NULL OR EXISTS (
    SELECT FROM browser_sessions b WHERE b.id = $13 AND b.ended_at IS NULL AND b.expires_at > now() FOR SHARE
)) AND ($16::timestamptz IS NULL OR EXISTS (
    SELECT FROM consents c WHERE c.user_id = u.id AND c.client_id = $4::varchar AND c.created_at = $16 FOR SHARE
)) FOR SHARE
RETURNING id
"""

REVOKE = """
UPDATE sessions s SET revoked_at = now(), revoked_reason = $2 FROM users u
WHERE s.id = $1 AND s.revoked_at IS NULL AND u.id = s.user_id
RETURNING s.id, s.user_id, s.client_id, u.email
"""

REVOKE_ALL = f"""
WITH epoch AS (UPDATE users SET auth_epoch = auth_epoch + 1, updated_at = now() WHERE id = $1)
UPDATE sessions SET revoked_at = now(), revoked_reason = $2
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
RETURNING {SESSION}
"""  # noqa: S608

# Browser sessions have no reason of their own here: with the user's epoch raised they are over.
SIGNED_IN = """
SELECT u.id FROM users u WHERE ($2::uuid IS NULL OR u.id > $2) AND (EXISTS (
    SELECT FROM sessions s WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > now() AND s.created_at < $1
) OR EXISTS (
    SELECT FROM browser_sessions b WHERE b.user_id = u.id AND b.ended_at IS NULL AND b.expires_at > now() AND b.created_at < $1
)) ORDER BY u.id LIMIT $3 FOR UPDATE
"""
RAISE_EPOCHS = "UPDATE users SET auth_epoch = auth_epoch + 1, updated_at = now() WHERE id = ANY($1::uuid[])"
REVOKE_THEIRS = f"""
UPDATE sessions SET revoked_at = now(), revoked_reason = $2
WHERE user_id = ANY($1::uuid[]) AND revoked_at IS NULL AND expires_at > now()
RETURNING {SESSION}
"""  # noqa: S608

LIVE = f"""
SELECT {SESSION} FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY created_at DESC
"""  # noqa: S608

RAISE_FLOORS = """
UPDATE sessions s SET gen_floor = f.floor, floor_at = now()
FROM unnest($1::uuid[], $2::int[]) AS f (family_id, floor)
WHERE s.family_id = f.family_id AND s.gen_floor < f.floor AND s.revoked_at IS NULL
"""

NOTE_USES = """
UPDATE sessions s SET last_used_at = u.at, last_address = u.address
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS u (id, at, address)
WHERE s.id = u.id AND s.revoked_at IS NULL AND (s.last_used_at IS NULL OR s.last_used_at < u.at)
"""

PURGE = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)"


class PostgresSessions:
    def __init__(self, postgres: Postgres, trail: AuditTrail, mails: PostgresMails) -> None:
        self._postgres = postgres
        self._trail = trail
        self._mails = mails
        self._families: Batches[UUID, SessionState | None] = Batches(self._find_families)

    async def add(self, session: Session, consented_at: datetime | None = None) -> bool:
        event = _beginning(session)
        async with self._postgres.transaction() as connection:
            added = await connection.fetchval(
                INSERT,
                session.id,
                session.family_id,
                session.user_id,
                session.client_id,
                session.scope,
                session.audience,
                session.auth_time,
                session.auth_epoch,
                session.created_at,
                session.expires_at,
                session.address,
                session.user_agent,
                session.browser_session_id,
                list(session.amr) or None,
                orjson.dumps(session.requested_claims).decode() if session.requested_claims else None,
                consented_at,
            )
            if added is not None:
                await self._trail.write(connection, event)
        if added is not None:
            self._trail.announce(event)
        return added is not None

    async def find(self, session_id: UUID, jti: str | None = None) -> SessionState | None:
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow(BY_ID, session_id, jti)
        return _state(row, row["user_updated_at"]) if row else None

    async def find_family(self, family_id: UUID) -> SessionState | None:
        return await self._families.ask(family_id)

    async def list_of(self, user_id: UUID) -> list[Session]:
        async with self._postgres.connection() as connection:
            rows = await connection.fetch(LIVE, user_id)
        return [session_of(row) for row in rows]

    async def revoke(self, session_id: UUID, reason: RevokedReason) -> bool:
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(REVOKE, session_id, reason)
            if row is None:
                return False
            if reason is not RevokedReason.TOKEN_REVOKED:  # which the client has done itself
                await logout_notices.queue(connection, [row])
            if reason.theft:
                await self._mails.write(connection, MailKind.REFRESH_TOKEN_REUSED, row["email"], row["user_id"])
            event = revocation_of(row, reason)
            await self._trail.write(connection, event)
        self._trail.announce(event)
        self._mails.announce()
        return True

    async def revoke_all(self, user_id: UUID, reason: RevokedReason) -> Sequence[Session]:
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(REVOKE_ALL, user_id, reason)
            await logout_notices.queue(connection, rows)
            events = [revocation_of(row, reason) for row in rows]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return [session_of(row) for row in rows]

    async def revoke_next(
        self, began_before: datetime, after: UUID | None, most: int, reason: RevokedReason
    ) -> EndedUsers | None:
        async with self._postgres.transaction() as connection:
            users = [row["id"] for row in await connection.fetch(SIGNED_IN, began_before, after, most)]
            if not users:
                return None
            await connection.execute(RAISE_EPOCHS, users)
            rows = await connection.fetch(REVOKE_THEIRS, users, reason)
            await logout_notices.queue(connection, rows)
            events = [revocation_of(row, reason) for row in rows]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return EndedUsers(users[-1], [session_of(row) for row in rows])

    async def raise_floors(self, floors: Mapping[UUID, int]) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(RAISE_FLOORS, list(floors), list(floors.values()))

    async def note_uses(self, uses: Mapping[UUID, Use]) -> None:
        instants, addresses = [use.at for use in uses.values()], [use.address for use in uses.values()]
        async with self._postgres.connection() as connection:
            await connection.execute(NOTE_USES, list(uses), instants, addresses)

    async def purge(self, before: Any, most: int) -> int:
        async with self._postgres.connection() as connection:
            return int((await connection.execute(PURGE, before, most)).split()[-1])

    async def _find_families(self, family_ids: Sequence[UUID]) -> Sequence[SessionState | None]:
        rows = await self._postgres.read(BY_FAMILIES, family_ids)
        found = {row["family_id"]: _state(row) for row in rows}
        return [found.get(family_id) for family_id in family_ids]


def _beginning(session: Session) -> Event:
    """Who redeems a code is the client's own server as often as the user's browser: what it calls itself says nothing."""
    user_id, client_id = session.user_id, session.client_id
    if session.browser_session_id is not None:
        return ClientSignedIn(user_id=user_id, client_id=client_id, session_id=session.id)
    device = device_label(session.user_agent)
    return SignedIn(user_id=user_id, client_id=client_id, session_id=session.id, device=device)


def revocation_of(row: asyncpg.Record, reason: RevokedReason) -> Event:
    concerned = {"user_id": row["user_id"], "client_id": row["client_id"], "session_id": row["id"]}
    return (RefreshTokenReused if reason.theft else SessionRevoked)(**concerned, reason=reason.value)


def session_of(row: asyncpg.Record, columns: Sequence[str] = COLUMNS) -> Session:
    values = {column: row[column] for column in columns}
    values["amr"] = tuple(row["amr"] or ())
    if row["requested_claims"] is not None:
        values["requested_claims"] = orjson.loads(row["requested_claims"])
    return Session(**values)


def _state(row: asyncpg.Record, user_updated_at: datetime | None = None) -> SessionState:
    return SessionState(
        session=session_of(row, HOT),
        email=row["email"],
        email_verified=row["email_verified"],
        name=row["name"],
        roles=tuple(Role(role) for role in row["roles"]),
        status=UserStatus(row["status"]),
        auth_epoch=row["user_epoch"],
        user_updated_at=user_updated_at,
    )
