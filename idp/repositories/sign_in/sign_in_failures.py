"""
Failed sign-ins in Postgres: one row for each identifier or device that failed lately.

Its key is an HMAC, so that the table does not tell who tried which address. Instants are those of the database.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import asyncpg
import structlog

from idp.database.postgres import Postgres
from idp.domain.accounts.mails import MailKind
from idp.domain.accounts.users import User, canonical_email
from idp.domain.audit.events import AccountLocked, AccountUnlocked, SignInFailed, origin
from idp.domain.sign_in.lockout import LONGEST_CHECK, Counter, LockoutPolicy, Place
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.audit.events import AuditTrail

log = structlog.get_logger("idp.sign_in_failures")

SHOWN = 16  # digits of an identifier's digest that events have, to find what belongs together

# $3 attempts, $4 how long failures count, $5 how long a check takes at most.
FAILURES = "CASE WHEN f.failures >= $3 OR f.failed_at <= now() - $4::interval THEN 0 ELSE f.failures END"
PENDING = "CASE WHEN f.pending_at <= now() - $5::interval THEN 0 ELSE f.pending END"
# The condition is the gate: of any number at once, as many pass as attempts are left. A row at its last failure that is no
# longer blocked was locked, and the lock has run out.
TAKE_PLACE = f"""
INSERT INTO sign_in_failures AS f (key, user_id, failures, pending, pending_at, touched_at)
VALUES ($1, $2, 0, 1, now(), now())
ON CONFLICT (key) DO UPDATE SET failures = {FAILURES}, pending = {PENDING} + 1, blocked_until = NULL,
    user_id = excluded.user_id, pending_at = now(), touched_at = now()
WHERE (f.blocked_until IS NULL OR f.blocked_until <= now()) AND {FAILURES} + {PENDING} < $3
RETURNING true
"""  # noqa: S608 - expressions of our own
BLOCKED_FOR = "SELECT blocked_until - now() FROM sign_in_failures WHERE key = $1 AND blocked_until > now()"

# A row that was cleared meanwhile begins anew.
COUNT = """
INSERT INTO sign_in_failures AS f (key, user_id, failures, pending, failed_at, touched_at) VALUES ($1, $2, 1, 0, now(), now())
ON CONFLICT (key) DO UPDATE
SET failures = f.failures + 1, pending = greatest(f.pending - 1, 0), failed_at = now(), touched_at = now()
RETURNING failures
"""
BLOCK = "UPDATE sign_in_failures SET blocked_until = now() + $2::interval WHERE key = $1"

# Who is being looked at at this moment keeps the place.
FORGET = """
UPDATE sign_in_failures SET failures = 0, failed_at = NULL, blocked_until = NULL, pending = greatest(pending - 1, 0)
WHERE key = $1
"""
GIVE_BACK = "UPDATE sign_in_failures SET pending = greatest(pending - 1, 0) WHERE key = $1"
CLEAR = "DELETE FROM sign_in_failures WHERE key = $1 OR user_id = $2 RETURNING failures >= $3 AND blocked_until > now() AS locked"
PURGE = """
DELETE FROM sign_in_failures WHERE key IN (
    SELECT key FROM sign_in_failures
    WHERE touched_at < now() - $1::interval AND (blocked_until IS NULL OR blocked_until < now()) LIMIT $2
)
"""


class PostgresSignInFailures:
    """*key* makes the HMACs. *on_blocked* is told of each attempt that is refused unseen."""

    def __init__(
        self,
        postgres: Postgres,
        trail: AuditTrail,
        mails: PostgresMails,
        *,
        policy: LockoutPolicy,
        key: bytes,
        on_blocked: Callable[[], None] = lambda: None,
    ) -> None:
        self._postgres = postgres
        self._trail = trail
        self._mails = mails
        self._policy = policy
        self._key = key
        self._on_blocked = on_blocked

    async def take_place(self, counter: Counter) -> Place:
        key = self._name(counter)
        async with self._postgres.connection() as connection:
            policy = self._policy
            taken = await connection.fetchval(
                TAKE_PLACE, key, counter.user_id, policy.attempts, policy.duration, LONGEST_CHECK
            )
            if taken:
                return Place(taken=True)
            blocked_for: timedelta | None = await connection.fetchval(BLOCKED_FOR, key)
        if blocked_for is not None:
            self._on_blocked()
            log.info("sign_in_blocked", identifier=self._identifier(counter), seconds=blocked_for.total_seconds())
        return Place(taken=False, blocked_for=blocked_for)

    async def failed(self, counter: Counter, event: SignInFailed) -> bool:
        key = self._name(counter)
        told: list[SignInFailed | AccountLocked] = [replace(event, identifier=self._identifier(counter))]
        async with self._postgres.transaction() as connection:
            failures: int = await connection.fetchval(COUNT, key, counter.user_id)
            await connection.execute(BLOCK, key, self._policy.blocked_after(failures))
            locked = failures == self._policy.attempts
            if locked:
                told.append(self._lock(counter))
                await self._mail(connection, MailKind.ACCOUNT_LOCKED, counter)
            await self._trail.write(connection, *told)
        self._trail.announce(*told)
        self._mails.announce()
        return locked

    async def succeeded(self, counter: Counter) -> None:
        await self._settle(FORGET, counter)

    async def give_back(self, counter: Counter) -> None:
        await self._settle(GIVE_BACK, counter)

    async def clear(self, user: User) -> bool:
        counter = Counter(user.email, user.id)
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(CLEAR, self._name(counter), user.id, self._policy.attempts)
            locked = any(row["locked"] for row in rows)
            if not locked and not (rows and origin.get().actor):
                return False
            if locked:
                await self._mail(connection, MailKind.ACCOUNT_UNLOCKED, counter)
            event = AccountUnlocked(user_id=user.id, identifier=self._identifier(counter), locked=locked)
            await self._trail.write(connection, event)
        self._trail.announce(event)
        self._mails.announce()
        return locked

    async def purge(self, most: int) -> int:
        async with self._postgres.connection() as connection:
            matters = self._policy.duration + LONGEST_CHECK
            return int((await connection.execute(PURGE, matters, most)).split()[-1])

    async def _settle(self, statement: str, counter: Counter) -> None:
        async with self._postgres.connection() as connection:
            await connection.execute(statement, self._name(counter))

    async def _mail(self, connection: asyncpg.Connection, kind: MailKind, counter: Counter) -> None:
        if counter.user_id is None:
            await self._mails.write_none(connection, kind, counter.address)
        else:
            await self._mails.write(connection, kind, counter.address, counter.user_id)

    def _lock(self, counter: Counter) -> AccountLocked:
        return AccountLocked(
            user_id=counter.user_id,
            identifier=self._identifier(counter),
            device=counter.device is not None,
            seconds=int(self._policy.duration.total_seconds()),
        )

    def _name(self, counter: Counter) -> str:
        return name_of(counter, self._key)

    def _identifier(self, counter: Counter) -> str:
        return self._name(replace(counter, device=None))[:SHOWN]


def name_of(counter: Counter, key: bytes) -> str:
    """The primary key of its row: 64 hexadecimal digits."""
    if counter.device is None or counter.user_id is None:
        what = b"identifier:" + canonical_email(counter.address).encode("utf-8", "surrogatepass")
    else:
        what = b"device:" + counter.user_id.bytes + counter.device
    return hmac.digest(key, what, "sha256").hex()
