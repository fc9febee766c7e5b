"""Users as administrators see and change them, in Postgres: each change is one transaction, its events the last statement."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.domain.accounts.mail_tokens import Purpose
from idp.domain.accounts.mails import MailKind
from idp.domain.accounts.user_records import UserChange, UserFilter, UserRecord, events_of, members_of, version_of
from idp.domain.accounts.users import NewUser, User, canonical_email
from idp.domain.audit.events import Event, UserCreated, UserDeleted, changes_between
from idp.domain.errors import Conflict, PreconditionFailed
from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.sessions import RevokedReason, Session
from idp.domain.sign_in.lockout import LockoutPolicy
from idp.repositories.accounts import mail_tokens
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.accounts.users import is_last_administrator, user_of_record
from idp.repositories.audit.events import AuditTrail
from idp.repositories.conditions import Conditions
from idp.repositories.reading import Reading
from idp.repositories.sessions import logout_notices
from idp.repositories.sessions.sessions import SESSION, session_of

# strpos finds the text as it is: there is nothing to escape. An address has its host in ASCII in the one form and in its own
# letters in the other, and part of a host has one form only.
SEARCH = """(strpos(email_norm, {}) > 0 OR strpos(lower(email), lower({}::text)) > 0
    OR strpos(lower(name), lower({}::text)) > 0)"""
STATUS = "status = {}"
ROLE = "roles @> ARRAY[{}::text]"
BEGIN = "(created_at, id) < ({}::timestamptz, {}::uuid)"

# What is beside the row: each by an index of its own, for the rows of one page. $1 failures in $2 are a lock.
RECORDS = """
WITH u AS (SELECT * FROM users {where} ORDER BY created_at DESC, id DESC LIMIT {limit})
SELECT u.*, f.failures, f.blocked_until, i.at AS last_sign_in_at, s.active
FROM u, LATERAL (
    SELECT coalesce(max(failures) FILTER (WHERE failed_at > now() - $2::interval), 0) AS failures,
        max(blocked_until) FILTER (WHERE blocked_until > now() AND failures >= $1::int) AS blocked_until
    FROM sign_in_failures WHERE user_id = u.id
) f, LATERAL (
    SELECT max(at) AS at FROM audit.events WHERE user_id = u.id AND name = 'signed_in'
) i, LATERAL (
    SELECT count(*) AS active FROM sessions WHERE user_id = u.id AND revoked_at IS NULL AND expires_at > now()
) s
ORDER BY u.created_at DESC, u.id DESC
"""

INSERT = """
INSERT INTO users (id, email, email_norm, name, password_hash, roles, status, email_verified, auth_epoch, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, now(), now())
ON CONFLICT (email_norm) DO NOTHING
RETURNING *
"""
UPDATE = """
UPDATE users SET email = $2, email_norm = $3, name = $4, roles = $5, status = $6, email_verified = $7, claims = $8::jsonb,
    updated_at = now()
WHERE id = $1 RETURNING *
"""
END_SESSIONS = """
UPDATE sessions SET revoked_at = now(), revoked_reason = $2 WHERE user_id = $1 AND revoked_at IS NULL
RETURNING id, user_id, client_id
"""
RAISE_EPOCH = "UPDATE users SET auth_epoch = auth_epoch + 1 WHERE id = $1 RETURNING *"
LOCKED = "SELECT * FROM users WHERE id = $1 FOR UPDATE"
SESSIONS = f"SELECT {SESSION} FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()"  # noqa: S608
DELETE = "DELETE FROM users WHERE id = $1"

LAST_ADMINISTRATOR = "This is the last active administrator: make another one first."
ADDRESS_TAKEN = "There is an account with this address already."


class PostgresUserRecords:
    def __init__(
        self, postgres: Postgres, reading: Reading, trail: AuditTrail, mails: PostgresMails, policy: LockoutPolicy
    ) -> None:
        self._postgres = postgres
        self._reading = reading
        self._trail = trail
        self._mails = mails
        self._policy = policy

    async def find(self, user_id: UUID) -> UserRecord | None:
        one = Conditions()
        one.add("id = {}", user_id)
        # Of its version the next change is made.
        async with self._postgres.connection() as connection:
            return next(iter(map(_record, await connection.fetch(*self._query(one, 1)))), None)

    async def page(self, wanted: UserFilter, limit: int, after: Place | None = None) -> Page[UserRecord]:
        conditions = _conditions(wanted)
        if after is not None:
            conditions.add(BEGIN, after.at, UUID(after.id))
        rows = await self._reading.fetch(*self._query(conditions, limit + 1))
        return Page.of([_record(row) for row in rows], limit, _place)

    async def count(self, wanted: UserFilter) -> int:
        conditions = _conditions(wanted)
        query = f"SELECT count(*) AS number FROM users {conditions.where()}"  # noqa: S608 - conditions of ours
        return int((await self._reading.fetch_one(query, *conditions.arguments))["number"])

    async def add(self, new: NewUser) -> User | None:
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(INSERT, uuid4(), *_columns(new), new.email_verified)
            if row is None:
                return None
            user = user_of_record(row)
            if new.password_hash is None and user.active:
                await self._mails.write(connection, MailKind.INVITATION, user.email, user.id)
            event = UserCreated(user_id=user.id, changes=changes_between({}, members_of(user)))
            await self._trail.write(connection, event)
        self._tell(event)
        return user

    async def change(self, user_id: UUID, wanted: UserChange, versions: frozenset[str] | None = None) -> User | None:
        try:
            async with self._postgres.transaction() as connection:
                # Before the row is locked: who takes both takes them in this order.
                if wanted.may_end_administrator and await is_last_administrator(connection, user_id):
                    raise Conflict(LAST_ADMINISTRATOR)
                row = await connection.fetchrow(LOCKED, user_id)
                if row is None:
                    return None
                before = user_of_record(row)
                if versions is not None and version_of(before) not in versions:
                    raise PreconditionFailed
                after = await self._written(connection, before, wanted.applied_to(before))
                events = events_of(before, after)
                await self._tell_by_mail(connection, before, after, invited=row["password_hash"] is None)
                await self._trail.write(connection, *events)
        except asyncpg.UniqueViolationError:
            raise Conflict(ADDRESS_TAKEN) from None
        self._tell(*events)
        return after

    async def remove(self, user_id: UUID) -> Sequence[Session] | None:
        async with self._postgres.transaction() as connection:
            if await is_last_administrator(connection, user_id):
                raise Conflict(LAST_ADMINISTRATOR)
            row = await connection.fetchrow(LOCKED, user_id)
            if row is None:
                return None
            user = user_of_record(row)
            sessions = await connection.fetch(SESSIONS, user_id)
            await connection.execute(DELETE, user_id)
            await logout_notices.queue(connection, sessions)
            await self._mails.write(connection, MailKind.ACCOUNT_DELETED, user.email)
            event = UserDeleted(user_id=user_id, changes=changes_between(members_of(user), {}))
            await self._trail.write(connection, event)
        self._tell(event)
        return [session_of(session) for session in sessions]

    def _query(self, conditions: Conditions, limit: int) -> tuple[Any, ...]:
        """A statement and its arguments."""
        query = RECORDS.format(where=conditions.where(2), limit=limit)
        return query, self._policy.attempts, self._policy.duration, *conditions.arguments

    async def _written(self, connection: asyncpg.Connection, before: User, after: User) -> User:
        if after == before:
            return before
        claims = orjson.dumps(after.claims).decode()
        row = await connection.fetchrow(UPDATE, after.id, *_columns(after), after.email_verified, claims)
        if before.active and not after.active:
            row = await connection.fetchrow(RAISE_EPOCH, after.id)
            ended = await connection.fetch(END_SESSIONS, after.id, RevokedReason.USER_DISABLED)
            await logout_notices.queue(connection, ended)
        return user_of_record(row)

    async def _tell_by_mail(self, connection: asyncpg.Connection, before: User, after: User, *, invited: bool) -> None:
        """Of a new address: the old one, so that its owner knows; and the new one, to prove that it is the user's."""
        if canonical_email(before.email) == canonical_email(after.email):
            return
        await mail_tokens.void(connection, after.id, *Purpose)
        await self._mails.write(connection, MailKind.ADDRESS_CHANGED, before.email, after.id)
        if after.active and invited:
            await self._mails.write(connection, MailKind.INVITATION, after.email, after.id)
        elif after.active and not after.email_verified:
            await self._mails.write(connection, MailKind.VERIFY_ADDRESS, after.email, after.id)

    def _tell(self, *events: Event) -> None:
        """Once the transaction is committed."""
        self._trail.announce(*events)
        self._mails.announce()


def _columns(user: NewUser | User) -> tuple[Any, ...]:
    """In the order of `INSERT` and `UPDATE`; only who is new has a password here."""
    password = (user.password_hash,) if isinstance(user, NewUser) else ()
    roles = [role.value for role in user.roles]
    return user.email, canonical_email(user.email), user.name, *password, roles, user.status.value


def _conditions(wanted: UserFilter) -> Conditions:
    """Only those that narrow: the plan for a filter that is not there needs to read no row."""
    conditions = Conditions()
    if wanted.search:
        composed = unicodedata.normalize("NFC", wanted.search)  # as names are stored
        conditions.add(SEARCH, canonical_email(wanted.search), composed, composed)
    if wanted.status:
        conditions.add(STATUS, wanted.status.value)
    if wanted.role:
        conditions.add(ROLE, wanted.role.value)
    return conditions


def _place(record: UserRecord) -> Place:
    return Place(record.user.created_at, str(record.user.id))


def _record(row: asyncpg.Record) -> UserRecord:
    beside = {"failures", "blocked_until", "last_sign_in_at", "active"}
    return UserRecord(
        user=user_of_record({name: value for name, value in row.items() if name not in beside}),
        failed_attempts=row["failures"],
        locked_until=row["blocked_until"],
        last_sign_in_at=row["last_sign_in_at"],
        active_sessions=row["active"],
    )
