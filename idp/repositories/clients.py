"""
Clients in Postgres, through Tortoise, with a short memory in front.

A token request looks its client up each time; the row is read at most once a second per process, so a client that is
disabled or changed anywhere is so everywhere within a second, without a channel between processes that could fail.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from idp.database.postgres import Postgres, answering
from idp.database.tables import ClientRow
from idp.domain.clients import CLIENT_ID, REST_CLIENT, Client, ClientSecret
from idp.domain.errors import StoreUnavailable
from idp.domain.events import ClientChanged
from idp.domain.sessions import RevokedReason
from idp.repositories.events import AuditTrail

MEMORY_SECONDS = 1.0
MEMORY_SIZE = 1000


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
        try:
            async with answering(), in_transaction():
                await ClientRow.create(**_columns(client))
        except IntegrityError:
            return False
        await self._changed(client.client_id, "created")
        return True

    async def replace(self, client: Client) -> bool:
        columns = _columns(client)
        async with answering():
            row = await ClientRow.get_or_none(client_id=columns.pop("client_id"))
            if row is None:
                return False
            rotated = row.secrets != columns["secrets"]
            await row.update_from_dict(columns).save()
        await self._changed(client.client_id, "secret_rotated" if rotated else "updated")
        return True

    async def remove(self, client_id: str) -> bool:
        async with self._postgres.transaction() as connection:
            removed = await connection.fetchval(
                "DELETE FROM clients WHERE client_id = $1 RETURNING client_id", client_id
            )
            await connection.execute(
                "UPDATE sessions SET revoked_at = now(), revoked_reason = $2 WHERE client_id = $1 AND revoked_at IS NULL",
                client_id,
                RevokedReason.CLIENT_REMOVED,
            )
        if removed is None:
            return False
        await self._changed(client_id, "deleted")
        return True

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

    async def _changed(self, client_id: str, change: str) -> None:
        self._memory.pop(client_id, None)
        self._origins = (0.0, self._origins[1])
        await self._trail.record(ClientChanged(client_id=client_id, change=change))


def _columns(client: Client) -> dict[str, Any]:
    columns = asdict(client)
    del columns["created_at"]
    columns["secrets"] = [
        {"digest": secret.digest, "expires_at": secret.expires_at and secret.expires_at.isoformat()}
        for secret in client.secrets
    ]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}


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
