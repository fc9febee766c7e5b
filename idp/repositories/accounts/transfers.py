"""Exports from Postgres by keyset, and consents that come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields
from typing import Any

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.domain.accounts.transfers import ConsentFate, ExportedUser
from idp.domain.audit.events import ConsentGranted
from idp.domain.clients.clients import Client
from idp.domain.sign_in.consents import Consent
from idp.repositories.accounts.users import user_of_record
from idp.repositories.audit.events import AuditTrail, uuid7
from idp.repositories.clients.clients import client_of_record
from idp.repositories.sign_in.consents import consent_of

PAGE = 500
# No column of a key ever changes.
USERS = f"SELECT * FROM users {{after}} ORDER BY created_at, id LIMIT {PAGE}"  # noqa: S608 - a number of ours
USERS_AFTER = "WHERE (created_at, id) > ($1, $2)"
CLIENTS = f"SELECT * FROM clients {{after}} ORDER BY client_id LIMIT {PAGE}"  # noqa: S608
CLIENTS_AFTER = "WHERE client_id > $1"
COLUMNS = ", ".join(field.name for field in fields(Consent))
CONSENTS = f"SELECT {COLUMNS} FROM consents {{after}} ORDER BY user_id, client_id LIMIT {PAGE}"  # noqa: S608
CONSENTS_AFTER = "WHERE (user_id, client_id) > ($1, $2)"
COUNTS = {kind: f"SELECT count(*) FROM {kind}" for kind in ("users", "clients", "consents")}  # noqa: S608 - three names

# Nobody has allowed anything to a client that is not there, and may be another one when it comes.
LOOK = """
SELECT u.id IS NOT NULL AS user_known, c.client_id IS NOT NULL AS client_known, k.id IS NOT NULL AS known
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS given (user_id, client_id, place)
LEFT JOIN users u ON u.id = given.user_id LEFT JOIN clients c ON c.client_id = given.client_id
LEFT JOIN consents k ON k.user_id = given.user_id AND k.client_id = given.client_id
ORDER BY place
"""
INSERT = """
INSERT INTO consents (id, user_id, client_id, scope, resource_scopes, shown, created_at, updated_at)
SELECT * FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::timestamptz[], $8::timestamptz[]
)
ON CONFLICT DO NOTHING RETURNING id
"""


class PostgresExports:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def users(self) -> AsyncIterator[ExportedUser]:
        async for row in self._rows(USERS, USERS_AFTER, lambda row: (row["created_at"], row["id"])):
            yield ExportedUser(user_of_record(row), row["password_hash"])

    async def clients(self) -> AsyncIterator[Client]:
        async for row in self._rows(CLIENTS, CLIENTS_AFTER, lambda row: (row["client_id"],)):
            yield client_of_record(row)

    async def consents(self) -> AsyncIterator[Consent]:
        async for row in self._rows(CONSENTS, CONSENTS_AFTER, lambda row: (row["user_id"], row["client_id"])):
            yield consent_of(row)

    async def count(self, kind: str) -> int:
        async with self._postgres.connection() as connection:
            return int(await connection.fetchval(COUNTS[kind]))

    async def _rows(
        self, query: str, after: str, place: Callable[[asyncpg.Record], tuple[Any, ...]]
    ) -> AsyncIterator[asyncpg.Record]:
        """No transaction is held open between two pages, so none is in the way of vacuum or of a pooler."""
        reached: tuple[Any, ...] | None = None
        while True:
            async with self._postgres.connection() as connection:
                rows = await connection.fetch(query.format(after=after if reached else ""), *(reached or ()))
            for row in rows:
                yield row
            if len(rows) < PAGE:
                return
            reached = place(rows[-1])


class PostgresConsentImports:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def add_all(self, consents: Sequence[Consent], *, dry_run: bool = False) -> Sequence[ConsentFate]:
        given = [consent.user_id for consent in consents], [consent.client_id for consent in consents]
        async with self._postgres.transaction() as connection:
            fates = list(map(_fate, await connection.fetch(LOOK, *given)))
            good = [consent for consent, fate in zip(consents, fates, strict=True) if fate is ConsentFate.CREATED]
            events = [] if dry_run else await self._written(connection, good)
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return fates

    async def _written(self, connection: asyncpg.Connection, consents: Sequence[Consent]) -> list[ConsentGranted]:
        if not consents:
            return []
        rows = [
            (
                *(uuid7(), consent.user_id, consent.client_id, consent.scope),
                *(orjson.dumps(consent.resource_scopes).decode(), consent.shown),
                *(consent.created_at, consent.updated_at),
            )
            for consent in consents
        ]
        made = {row["id"] for row in await connection.fetch(INSERT, *map(list, zip(*rows, strict=True)))}
        return [
            ConsentGranted(user_id=consent.user_id, client_id=consent.client_id, scope=consent.scope)
            for row, consent in zip(rows, consents, strict=True)
            if row[0] in made
        ]


def _fate(row: asyncpg.Record) -> ConsentFate:
    if not row["user_known"]:
        return ConsentFate.USER_UNKNOWN
    if not row["client_known"]:
        return ConsentFate.CLIENT_UNKNOWN
    return ConsentFate.KNOWN if row["known"] else ConsentFate.CREATED
