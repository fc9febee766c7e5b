"""Accounts from elsewhere, into Postgres: one statement for many, and their events as the last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.domain.accounts.user_imports import Fate, ImportedUser, Rehearsal, Source
from idp.domain.accounts.users import canonical_email
from idp.domain.audit.events import UserImported
from idp.repositories.audit.events import AuditTrail

# Sorted, so that two imports of one file wait for each other instead of locking each other out.
INSERT = """
INSERT INTO users
    (id, email, email_norm, name, password_hash, roles, status, email_verified, auth_epoch, claims, created_at, updated_at)
SELECT id, email, email_norm, name, password_hash, string_to_array(roles, ' '), status, email_verified, 0, claims,
    coalesce(created_at, now()), coalesce(updated_at, created_at, now())
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::jsonb[],
    $10::timestamptz[], $11::timestamptz[]) AS given (id, email, email_norm, name, password_hash, roles, status,
    email_verified, claims, created_at, updated_at)
ORDER BY email_norm
ON CONFLICT DO NOTHING RETURNING id, email_norm
"""
KNOWN = "SELECT id, email_norm FROM users WHERE email_norm = ANY($1::text[]) OR id = ANY($2::uuid[])"

Pair = tuple[UUID, str]


class PostgresUserImports:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def add_all(self, users: Sequence[ImportedUser], source: Source) -> Sequence[Fate]:
        if not users:
            return []
        pairs = [(user.id or uuid4(), canonical_email(user.email)) for user in users]
        rows = [_row(pair, user) for pair, user in zip(pairs, users, strict=True)]
        async with self._postgres.transaction() as connection:
            made = await connection.fetch(INSERT, *map(list, zip(*rows, strict=True)))
            created = Counter((row["id"], row["email_norm"]) for row in made)
            lacking = [pair for pair in pairs if pair not in created]
            known = await _known(connection, lacking) if len(made) < len(pairs) else []
            fates = _fates(pairs, created, known)
            events = [
                UserImported(user_id=pair[0], source=source.value, roles=" ".join(user.roles))
                for pair, user, fate in zip(pairs, users, fates, strict=True)
                if fate is Fate.CREATED
            ]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return fates

    async def look(self, users: Sequence[ImportedUser], rehearsal: Rehearsal) -> Sequence[Fate]:
        pairs = [(user.id or uuid4(), canonical_email(user.email)) for user in users]
        async with self._postgres.connection() as connection:
            known = await _known(connection, pairs)
        for user_id, address in known:
            rehearsal.add("id", user_id)
            rehearsal.add("address", address)
        fates = [Fate.KNOWN] * len(pairs)
        # In the order of the statement that would make them.
        for place, (user_id, address) in sorted(enumerate(pairs), key=lambda numbered: numbered[1][1]):
            if rehearsal.knows("address", address):
                continue
            if not rehearsal.is_first("id", user_id):
                fates[place] = Fate.ID_TAKEN
                continue
            rehearsal.add("address", address)
            fates[place] = Fate.CREATED
        return fates


async def _known(connection: asyncpg.Connection, pairs: Sequence[Pair]) -> list[Pair]:
    rows = await connection.fetch(KNOWN, [address for _, address in pairs], [user_id for user_id, _ in pairs])
    return [(row["id"], row["email_norm"]) for row in rows]


def _fates(pairs: Sequence[Pair], created: Counter[Pair], known: Sequence[Pair]) -> list[Fate]:
    """Of several that are wholly alike the first is the one that was made, the next ones are known."""
    addresses = {address for _, address in known} | {address for _, address in created}
    fates = []
    for pair in pairs:
        if created[pair] > 0:
            created[pair] -= 1
            fates.append(Fate.CREATED)
        else:
            fates.append(Fate.KNOWN if pair[1] in addresses else Fate.ID_TAKEN)
    return fates


def _row(pair: Pair, user: ImportedUser) -> tuple[Any, ...]:
    """In the order of `INSERT`."""
    return (
        pair[0],
        user.email,
        pair[1],
        user.name,
        user.password_hash,
        " ".join(user.roles),
        user.status.value,
        user.email_verified,
        orjson.dumps(user.claims).decode(),
        user.created_at,
        user.updated_at,
    )
