"""Changes of whole accounts in Postgres: each is one transaction, with its mail, and with its events as the last statement."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg

from idp.database.postgres import Postgres
from idp.domain.accounts.accounts import Confirmation, PasswordSet
from idp.domain.accounts.mail_tokens import Purpose
from idp.domain.accounts.mails import MailKind
from idp.domain.accounts.users import NewUser, User, canonical_email
from idp.domain.audit.events import (
    EmailChanged,
    EmailVerified,
    Event,
    PasswordChanged,
    PasswordReset,
    RegistrationOfKnownAddress,
    UserDeleted,
    UserRegistered,
)
from idp.domain.errors import Conflict
from idp.domain.sessions.sessions import RevokedReason, Session
from idp.repositories.accounts import mail_tokens
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.accounts.users import is_last_administrator, user_of_record
from idp.repositories.audit.events import AuditTrail
from idp.repositories.sessions import logout_notices
from idp.repositories.sessions.sessions import SESSION, revocation_of, session_of

# The update that changes nothing makes a known address cost what a new one costs. xmax is 0 in a row that is new.
REGISTER = """
INSERT INTO users (id, email, email_norm, name, password_hash, roles, status, email_verified, auth_epoch, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, 0, now(), now())
ON CONFLICT (email_norm) DO UPDATE SET email_norm = EXCLUDED.email_norm
RETURNING *, xmax = 0 AS made
"""

NEW_HASH = """
UPDATE users SET password_hash = $3, auth_epoch = auth_epoch + 1, updated_at = now()
WHERE id = $1 AND auth_epoch = $2 AND status = 'active'
RETURNING auth_epoch
"""

END_OTHERS = f"""
UPDATE sessions SET revoked_at = now(), revoked_reason = $2
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() AND id IS DISTINCT FROM $3::uuid
RETURNING {SESSION}
"""  # noqa: S608 - names of columns

# One of the two: who changed the password did so through a client's session or on the hosted page.
KEEP = "UPDATE sessions SET auth_epoch = $2 WHERE id = $1 AND revoked_at IS NULL"
KEEP_BROWSER = "UPDATE browser_sessions SET auth_epoch = $2 WHERE id = $1 AND ended_at IS NULL"

# Only while the address is the one that the token was sent to.
RESET_HASH = """
UPDATE users SET password_hash = $3, auth_epoch = auth_epoch + 1, email_verified = true, updated_at = now()
WHERE id = $1 AND email_norm = $2 AND status = 'active'
RETURNING *
"""

VERIFY = "UPDATE users SET email_verified = true, updated_at = now() WHERE id = $1 AND email_norm = $2 RETURNING id"

CHANGE_ADDRESS = """
UPDATE users u SET email = $2, email_norm = $3, email_verified = true, updated_at = now() FROM users old
WHERE u.id = $1 AND old.id = u.id AND u.status = 'active' RETURNING old.email
"""

LOCK_USER = "SELECT id FROM users WHERE id = $1 AND auth_epoch = $2 FOR UPDATE"
SESSIONS = f"SELECT {SESSION} FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()"  # noqa: S608
DELETE = "DELETE FROM users WHERE id = $1"


class PostgresAccounts:
    def __init__(self, postgres: Postgres, trail: AuditTrail, mails: PostgresMails) -> None:
        self._postgres = postgres
        self._trail = trail
        self._mails = mails

    async def register(self, new: NewUser) -> User | None:
        address, roles = canonical_email(new.email), [role.value for role in new.roles]
        values = (uuid4(), new.email, address, new.name, new.password_hash, roles, new.email_verified)
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(REGISTER, *values)
            made, user_id = row["made"], row["id"]
            kind = MailKind.VERIFY_ADDRESS if made else MailKind.ADDRESS_KNOWN
            await self._mails.write(connection, kind, row["email"], user_id)
            event = UserRegistered(user_id=user_id) if made else RegistrationOfKnownAddress(user_id=user_id)
            await self._trail.write(connection, event)
        self._tell(event)
        user = user_of_record(row)
        return user if made else None

    async def change_password(self, user: User, password_hash: str, keep: UUID) -> Sequence[Session] | None:
        async with self._postgres.transaction() as connection:
            epoch = await connection.fetchval(NEW_HASH, user.id, user.auth_epoch, password_hash)
            if epoch is None:
                return None
            ended = await connection.fetch(END_OTHERS, user.id, RevokedReason.PASSWORD_CHANGED, keep)
            await connection.execute(KEEP, keep, epoch)
            await connection.execute(KEEP_BROWSER, keep, epoch)
            await logout_notices.queue(connection, ended)
            await mail_tokens.void(connection, user.id, Purpose.RESET, Purpose.CHANGE)
            await self._mails.write(connection, MailKind.PASSWORD_CHANGED, user.email, user.id)
            events = _events(PasswordChanged(user_id=user.id), ended, RevokedReason.PASSWORD_CHANGED)
            await self._trail.write(connection, *events)
        self._tell(*events)
        return list(map(session_of, ended))

    async def reset_password(self, digest: str, password_hash: str) -> PasswordSet | None:
        async with self._postgres.transaction() as connection:
            token = await mail_tokens.spend(connection, digest, Purpose.RESET, Purpose.INVITATION)
            if token is None:
                return None
            user_id, address = token["user_id"], canonical_email(token["email"])
            row = await connection.fetchrow(RESET_HASH, user_id, address, password_hash)
            if row is None:
                return None
            ended = await connection.fetch(END_OTHERS, user_id, RevokedReason.PASSWORD_RESET, None)
            await logout_notices.queue(connection, ended)
            await mail_tokens.void(connection, user_id, *Purpose)
            await self._mails.write(connection, MailKind.PASSWORD_CHANGED, row["email"], user_id)
            events = _events(PasswordReset(user_id=user_id), ended, RevokedReason.PASSWORD_RESET)
            await self._trail.write(connection, *events)
        self._tell(*events)
        return PasswordSet(user_of_record(row), list(map(session_of, ended)))

    async def confirm_address(self, digest: str) -> Confirmation:
        try:
            async with self._postgres.transaction() as connection:
                token = await mail_tokens.spend(connection, digest, Purpose.VERIFY, Purpose.CHANGE)
                confirmed = await self._confirm(connection, token) if token else None
                if confirmed is None:
                    return Confirmation.INVALID
                await self._trail.write(connection, confirmed)
        except asyncpg.UniqueViolationError:
            return Confirmation.TAKEN
        self._tell(confirmed)
        return Confirmation.CHANGED if isinstance(confirmed, EmailChanged) else Confirmation.VERIFIED

    async def delete(self, user: User) -> Sequence[Session] | None:
        event = UserDeleted(user_id=user.id)
        async with self._postgres.transaction() as connection:
            if await is_last_administrator(connection, user.id):
                raise Conflict("This is the last active administrator: make another one first.")
            if await connection.fetchval(LOCK_USER, user.id, user.auth_epoch) is None:
                return None
            sessions = await connection.fetch(SESSIONS, user.id)
            await connection.execute(DELETE, user.id)
            await logout_notices.queue(connection, sessions)
            await self._mails.write(connection, MailKind.ACCOUNT_DELETED, user.email)
            await self._trail.write(connection, event)
        self._tell(event)
        return list(map(session_of, sessions))

    async def _confirm(self, connection: asyncpg.Connection, token: asyncpg.Record) -> Event | None:
        user_id, address = token["user_id"], token["email"]
        if token["purpose"] == Purpose.VERIFY:
            verified = await connection.fetchval(VERIFY, user_id, canonical_email(address))
            return EmailVerified(user_id=user_id) if verified else None
        before = await connection.fetchval(CHANGE_ADDRESS, user_id, address, canonical_email(address))
        if before is None:
            return None
        await mail_tokens.void(connection, user_id, *Purpose)
        await self._mails.write(connection, MailKind.ADDRESS_CHANGED, before, user_id)
        return EmailChanged(user_id=user_id)

    def _tell(self, *events: Event) -> None:
        """Once the transaction is committed."""
        self._trail.announce(*events)
        self._mails.announce()


def _events(first: Event, ended: Sequence[asyncpg.Record], reason: RevokedReason) -> list[Event]:
    return [first, *(revocation_of(row, reason) for row in ended)]
