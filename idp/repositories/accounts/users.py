"""Users in Postgres, through Tortoise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.database.tables import LONGEST_CANONICAL, UserRow
from idp.domain.accounts.users import (
    NewUser,
    ProfileChange,
    Role,
    User,
    UserStatus,
    canonical_email,
    changed_claims_between,
    rest_name,
)
from idp.domain.audit.events import PasswordRehashed, ProfileChanged, UserRegistered
from idp.repositories.audit.events import AuditTrail

# Whoever makes the first administrator or takes one away holds this, so that each sees what the one before has done.
ADMINISTRATORS = 0x6964702D61646D69

# Who was invited and has set no password yet cannot sign in, so is nobody to rely on.
ACTIVE_ADMINISTRATOR = "status = 'active' AND roles @> ARRAY['ADMIN'] AND password_hash IS NOT NULL"
LAST_ADMINISTRATOR = f"""
SELECT EXISTS (SELECT FROM users WHERE id = $1 AND {ACTIVE_ADMINISTRATOR})
    AND NOT EXISTS (SELECT FROM users WHERE id <> $1 AND {ACTIVE_ADMINISTRATOR})
"""  # noqa: S608 - a condition of our own

INSERT = """
INSERT INTO users (id, email, email_norm, name, password_hash, roles, status, email_verified, auth_epoch, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, 0, now(), now())
ON CONFLICT (email_norm) DO NOTHING
RETURNING *
"""
# Of two sign-ins at once the second finds another hash, and a change of the password meanwhile stays.
REPLACE_HASH = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 RETURNING id"
# One row whether or not there is such a user: both are read and mapped alike. A row made into a model by Tortoise took 0.3 ms
# longer than none.
WITH_PASSWORD = """
SELECT u.* FROM (SELECT $1::varchar AS email_norm) asked LEFT JOIN users u ON u.email_norm = asked.email_norm
"""  # noqa: S105 - a statement
LOCKED = "SELECT * FROM users WHERE id = $1 FOR UPDATE"
CHANGE_PROFILE = "UPDATE users SET name = $2, claims = $3::jsonb, updated_at = now() WHERE id = $1 RETURNING *"

# Mapped in place of a user that is not there.
NOBODY: Mapping[str, object] = {
    "id": UUID(int=0),
    "email": "nobody@localhost",
    "name": "Nobody",
    "roles": ["USER"],
    "status": "active",
    "email_verified": False,
    "auth_epoch": 0,
    "created_at": datetime.fromtimestamp(0, UTC),
    "updated_at": datetime.fromtimestamp(0, UTC),
    "claims": "{}",
}


class PostgresUsers:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def find(self, user_id: UUID) -> User | None:
        async with self._postgres.answering():
            return _user(await UserRow.get_or_none(id=user_id))

    async def find_by_email(self, address: str) -> User | None:
        return _user(await self._find(address))

    async def find_with_password(self, address: str) -> tuple[User, str | None] | None:
        canonical = canonical_email(address)
        if len(canonical) > LONGEST_CANONICAL:
            return None  # nobody's, whoever has an account
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow(WITH_PASSWORD, canonical)
        found = row is not None and row["id"] is not None
        user = user_of_record(row if found else NOBODY)
        return (user, row["password_hash"]) if found else None

    async def _find(self, address: str) -> UserRow | None:
        canonical = canonical_email(address)
        if len(canonical) > LONGEST_CANONICAL:
            return None  # nobody's, and Tortoise would fail on the question
        async with self._postgres.answering():
            return await UserRow.get_or_none(email_norm=canonical)

    async def has_administrator(self) -> bool:
        async with self._postgres.answering():
            return await UserRow.filter(roles__contains=[Role.ADMIN.value]).exists()

    async def change_profile(self, user_id: UUID, change: ProfileChange) -> User | None:
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(LOCKED, user_id)
            if row is None:
                return None
            before = user_of_record(row)
            wanted = change.applied_to(before)
            if wanted == before:
                return before
            claims = orjson.dumps(wanted.claims).decode()
            after = user_of_record(await connection.fetchrow(CHANGE_PROFILE, user_id, wanted.name, claims))
            event = _profile_changed(before, after)
            await self._trail.write(connection, event)
        self._trail.announce(event)
        return after

    async def replace_password_hash(self, user_id: UUID, old: str, new: str) -> bool:
        event = PasswordRehashed(user_id=user_id)
        async with self._postgres.transaction() as connection:
            if await connection.fetchval(REPLACE_HASH, user_id, old, new) is None:
                return False
            await self._trail.write(connection, event)
        self._trail.announce(event)
        return True

    async def add_first_administrator(self, new: NewUser) -> User | None:
        async with self._postgres.transaction() as connection:
            # Held until commit: of many processes that start at once the next one sees the first one's row.
            await connection.execute("SELECT pg_advisory_xact_lock($1)", ADMINISTRATORS)
            if await connection.fetchval("SELECT EXISTS (SELECT FROM users WHERE roles @> ARRAY['ADMIN'])"):
                return None
            row = await connection.fetchrow(
                INSERT,
                uuid4(),
                new.email,
                canonical_email(new.email),
                new.name,
                new.password_hash,
                [role.value for role in new.roles],
                new.email_verified,
            )
            if row is None:
                return None
            event = UserRegistered(user_id=row["id"])
            await self._trail.write(connection, event)
        self._trail.announce(event)
        return user_of_record(row)


def _profile_changed(before: User, after: User) -> ProfileChanged:
    names = ["name"] if before.name != after.name else []
    names += map(rest_name, changed_claims_between(before, after))
    return ProfileChanged(user_id=after.id, fields=" ".join(names))


async def is_last_administrator(connection: asyncpg.Connection, user_id: object) -> bool:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", ADMINISTRATORS)
    last: bool = await connection.fetchval(LAST_ADMINISTRATOR, user_id)
    return last


def user_of_record(record: object) -> User:
    values = dict(record)  # type: ignore[call-overload]
    return User(
        id=values["id"],
        email=values["email"],
        name=values["name"],
        roles=tuple(Role(role) for role in values["roles"]),
        status=UserStatus(values["status"]),
        email_verified=values["email_verified"],
        auth_epoch=values["auth_epoch"],
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        claims=orjson.loads(values["claims"]),
    )


def _user(row: UserRow | None) -> User | None:
    return _user_of(row) if row is not None else None


def _user_of(row: UserRow) -> User:
    return User(
        id=row.id,
        email=row.email,
        name=row.name,
        roles=tuple(Role(role) for role in row.roles),
        status=UserStatus(row.status),
        email_verified=row.email_verified,
        auth_epoch=row.auth_epoch,
        created_at=row.created_at,
        updated_at=row.updated_at,
        claims=row.claims,
    )
