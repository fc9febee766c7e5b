"""
Clients in Postgres, with a short memory in front.

A token request looks its client up each time; the row is read at most once a second per process, so a client that is
disabled or changed anywhere is so everywhere within a second, without a channel between processes that could fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from idp.database.postgres import Postgres, answering
from idp.database.tables import ClientRow
from idp.domain.clients import CLIENT_ID, REST_CLIENT, Client, ClientSecret
from idp.domain.errors import StoreUnavailable
from idp.domain.events import ClientChanged
from idp.domain.sessions import RevokedReason
from idp.repositories.events import AuditTrail

MEMORY_SECONDS = 1.0
MEMORY_SIZE = 1000

COLUMNS = [field.name for field in fields(Client) if field.name != "created_at"]
PLACES = [f"${place}" for place in range(1, len(COLUMNS) + 1)]
INSERT = f"""
INSERT INTO clients ({", ".join(COLUMNS)}, created_at, updated_at) VALUES ({", ".join(PLACES)}, now(), now())
ON CONFLICT (client_id) DO NOTHING RETURNING client_id
"""  # noqa: S608 - the names of a dataclass' fields
UPDATE = f"""
UPDATE clients SET ({", ".join(COLUMNS)}, updated_at) = ROW ({", ".join(PLACES)}, now()) WHERE client_id = $1
"""  # noqa: S608


class PostgresClients:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail
        self._memory: dict[str, tuple[float, Client]] = {}
        self._origins: tuple[float, frozenset[str]] = (0.0, frozenset())

    async def find(self, client_id: str) -> Client | None:
        if client_id == REST_CLIENT.client_id:
            return REST_CLIENT
        if not CLIENT_ID.fullmatch(client_id):
            return None  # none can have it; and a NUL in it would be an error of the database
        remembered = self._memory.get(client_id)
        if remembered and time.monotonic() < remembered[0]:
            return remembered[1]
        async with answering():
            row = await ClientRow.get_or_none(client_id=client_id)
        self._memory.pop(client_id, None)
        if row is None:
            return None
        if len(self._memory) >= MEMORY_SIZE:
            self._memory.pop(next(iter(self._memory)))
        client = _client(row)
        self._memory[client_id] = (time.monotonic() + MEMORY_SECONDS, client)
        return client

    async def add(self, client: Client) -> bool:
        event = ClientChanged(client_id=client.client_id, change="created")
        async with self._postgres.transaction() as connection:
            added = await connection.fetchval(INSERT, *_values(client))
            if added is not None:
                await self._trail.write(connection, event)
        if added is not None:
            self._changed(event)
        return added is not None

    async def replace(self, client: Client) -> bool:
        return await self.change(client.client_id, lambda _: client) is not None

    async def change(self, client_id: str, change: Callable[[Client], Client]) -> Client | None:
        async with self._postgres.transaction() as connection:
            record = await connection.fetchrow("SELECT * FROM clients WHERE client_id = $1 FOR UPDATE", client_id)
            if record is None:
                return None
            old = _from_record(record)
            new = change(old)
            await connection.execute(UPDATE, *_values(new))
            rotated = [secret.digest for secret in old.secrets] != [secret.digest for secret in new.secrets]
            event = ClientChanged(client_id=client_id, change="secret_rotated" if rotated else "updated")
            await self._trail.write(connection, event)
        self._changed(event)
        return new

    async def remove(self, client_id: str) -> bool:
        event = ClientChanged(client_id=client_id, change="deleted")
        async with self._postgres.transaction() as connection:
            removed = await connection.fetchval(
                "DELETE FROM clients WHERE client_id = $1 RETURNING client_id", client_id
            )
            await connection.execute(
                "UPDATE sessions SET revoked_at = now(), revoked_reason = $2 WHERE client_id = $1 AND revoked_at IS NULL",
                client_id,
                RevokedReason.CLIENT_REMOVED,
            )
            if removed is not None:
                await self._trail.write(connection, event)
        if removed is not None:
            self._changed(event)
        return removed is not None

    async def all(self) -> list[Client]:
        async with answering():
            return [_client(row) for row in await ClientRow.all().order_by("client_id")]

    async def origins(self) -> frozenset[str]:
        known_until, origins = self._origins
        if time.monotonic() < known_until:
            return origins
        try:
            async with self._postgres.connection() as connection:
                rows = await connection.fetch("SELECT DISTINCT unnest(origins) AS origin FROM clients WHERE enabled")
        except StoreUnavailable:
            return origins
        origins = frozenset(row["origin"] for row in rows)
        self._origins = (time.monotonic() + MEMORY_SECONDS, origins)
        return origins

    def _changed(self, event: ClientChanged) -> None:
        self._memory.pop(event.client_id or "", None)
        self._origins = (0.0, self._origins[1])
        self._trail.announce(event)


def _values(client: Client) -> list[Any]:
    """In the order of `COLUMNS`."""
    secrets = [
        {"digest": secret.digest, "expires_at": secret.expires_at and secret.expires_at.isoformat()}
        for secret in client.secrets
    ]
    columns = {name: getattr(client, name) for name in COLUMNS} | {"secrets": orjson.dumps(secrets).decode()}
    return [list(value) if isinstance(value, tuple) else value for value in columns.values()]


def _from_record(record: asyncpg.Record) -> Client:
    return _client(ClientRow(**dict(record) | {"secrets": orjson.loads(record["secrets"])}))


def _client(row: ClientRow) -> Client:
    return Client(
        client_id=row.client_id,
        name=row.name,
        auth_method=row.auth_method,
        secrets=tuple(
            ClientSecret(secret["digest"], secret["expires_at"] and datetime.fromisoformat(secret["expires_at"]))
            for secret in row.secrets
        ),
        grant_types=tuple(row.grant_types),
        redirect_uris=tuple(row.redirect_uris),
        scope=row.scope,
        origins=tuple(row.origins),
        resources=tuple(row.resources),
        enabled=row.enabled,
        created_at=row.created_at,
    )
