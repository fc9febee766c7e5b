"""Tokens sent by mail, in Postgres as digests. What redeems one stands where the change that it allows is made."""

from __future__ import annotations

import asyncpg

from idp.database.postgres import Postgres
from idp.domain.accounts.mail_tokens import LIFETIMES, MailToken, Purpose
from idp.domain.accounts.users import User, UserStatus, canonical_email
from idp.domain.audit.events import Event
from idp.repositories.accounts.users import user_of_record
from idp.repositories.audit.events import AuditTrail

# The row of the user is the lock: of two that mint at once, the second one finds the token of the first.
STILL = "SELECT id FROM users WHERE id = $1 AND auth_epoch = $2 AND email_norm = $3 AND status = $4 FOR UPDATE"
VOID = "DELETE FROM mail_tokens WHERE user_id = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL"
INSERT = """
INSERT INTO mail_tokens (digest, purpose, user_id, email, created_at, expires_at) VALUES ($1, $2, $3, $4, now(), now() + $5)
"""
LIVE = "purpose = ANY($2::text[]) AND used_at IS NULL AND expires_at > now()"
HOLDER = f"""
SELECT u.* FROM mail_tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = $1 AND t.{LIVE}
"""  # noqa: S608
# The condition is the lock: of fifty that redeem one at once, one finds it unused.
SPEND = f"UPDATE mail_tokens SET used_at = now() WHERE digest = $1 AND {LIVE} RETURNING purpose, user_id, email"  # noqa: S608
# Before the token itself: who mints one holds the user too and then wants the tokens, so the other order could deadlock.
LOCK_HOLDER = "SELECT FROM users u JOIN mail_tokens t ON t.user_id = u.id WHERE t.digest = $1 FOR UPDATE OF u"
PURGE = "DELETE FROM mail_tokens WHERE digest IN (SELECT digest FROM mail_tokens WHERE expires_at < now() LIMIT $1)"


class PostgresMailTokens:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def mint(self, purpose: Purpose, user: User, address: str, event: Event | None = None) -> MailToken | None:
        token, events = MailToken.new(), [event] if event else []
        async with self._postgres.transaction() as connection:
            known = (user.id, user.auth_epoch, canonical_email(user.email), UserStatus.ACTIVE)
            if await connection.fetchval(STILL, *known) is None:
                return None
            await void(connection, user.id, purpose)
            await connection.execute(INSERT, token.digest, purpose, user.id, address, LIFETIMES[purpose])
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return token

    async def holder(self, digest: str, *purposes: Purpose) -> User | None:
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow(HOLDER, digest, purposes)
        return user_of_record(row) if row else None

    async def purge(self, most: int) -> int:
        async with self._postgres.connection() as connection:
            return int((await connection.execute(PURGE, most)).split()[-1])


async def spend(connection: asyncpg.Connection, digest: str, *purposes: Purpose) -> asyncpg.Record | None:
    """Within the caller's transaction: purpose, user_id and email of a live token, which is used from now on."""
    await connection.execute(LOCK_HOLDER, digest)
    row: asyncpg.Record | None = await connection.fetchrow(SPEND, digest, purposes)
    return row


async def void(connection: asyncpg.Connection, user_id: object, *purposes: Purpose) -> None:
    """Within the caller's transaction."""
    await connection.execute(VOID, user_id, purposes)
