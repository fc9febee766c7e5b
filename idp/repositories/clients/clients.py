"""
Clients in Postgres, with a short memory in front.

A token request looks its client up each time; the row is read at most once a second per process, so a client that is
disabled or changed anywhere is so everywhere within a second, without a channel between processes that could fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.database.tables import ClientRow
from idp.domain.audit.events import HIDDEN, Changes, ClientChanged, changes_between
from idp.domain.clients.clients import CLIENT_ID, REST_CLIENT, Client, ClientSecret, members_of
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.sessions import RevokedReason
from idp.repositories.audit.events import AuditTrail
from idp.repositories.conditions import Conditions
from idp.repositories.reading import Reading

MEMORY_SECONDS = 1.0
MEMORY_SIZE = 1000

COLUMNS = [field.name for field in fields(Client) if field.name not in ("created_at", "updated_at")]
PLACES = [f"${place}" for place in range(1, len(COLUMNS) + 1)]
INSERT = f"""
INSERT INTO clients ({", ".join(COLUMNS)}, created_at, updated_at) VALUES ({", ".join(PLACES)}, now(), now())
ON CONFLICT (client_id) DO NOTHING RETURNING client_id
"""  # noqa: S608 - the names of a dataclass' fields
UPDATE = f"""
UPDATE clients SET ({", ".join(COLUMNS)}, updated_at) = ROW ({", ".join(PLACES)}, now()) WHERE client_id = $1
"""  # noqa: S608
END_SESSIONS = "UPDATE sessions SET revoked_at = now(), revoked_reason = $2 WHERE client_id = $1 AND revoked_at IS NULL"
SIGNING_ALGORITHMS = """
SELECT id_token_signed_response_alg AS algorithm FROM clients WHERE enabled
UNION SELECT userinfo_signed_response_alg FROM clients WHERE enabled AND userinfo_signed_response_alg IS NOT NULL
"""

# strpos finds the text as it is: there is nothing to escape.
SEARCH = "(strpos(lower(client_id), lower({}::text)) > 0 OR strpos(lower(name), lower({}::text)) > 0)"
BEGIN = "(created_at, client_id) < ({}::timestamptz, {})"
# Older than every client that was ever registered.
BUILT_IN = Place(datetime.fromtimestamp(0, UTC), REST_CLIENT.client_id)


class PostgresClients:
    def __init__(
        self,
        postgres: Postgres,
        reading: Reading,
        trail: AuditTrail,
        *,
        on_lookup: Callable[[bool], None] = lambda _remembered: None,
    ) -> None:
        """*on_lookup* is told of each client that is looked for, and whether the memory had it."""
        self._postgres = postgres
        self._reading = reading
        self._trail = trail
        self._on_lookup = on_lookup
        self._memory: dict[str, tuple[float, Client]] = {}
        self._origins: tuple[float, frozenset[str]] = (0.0, frozenset())

    async def find(self, client_id: str) -> Client | None:
        if client_id == REST_CLIENT.client_id:
            return REST_CLIENT
        remembered = self._memory.get(client_id)
        if remembered and time.monotonic() < remembered[0]:
            self._on_lookup(True)
            return remembered[1]
        self._on_lookup(False)
        return await self.present(client_id)

    async def present(self, client_id: str) -> Client | None:
        if client_id == REST_CLIENT.client_id:
            return REST_CLIENT
        if not CLIENT_ID.fullmatch(client_id):
            return None  # none can have it; and a NUL in it would be an error of the database
        async with self._postgres.answering():
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
        changes = changes_between({}, members_of(client))
        event = ClientChanged(client_id=client.client_id, change="created", changes=changes)
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
            old = client_of_record(record)
            new = change(old)
            await connection.execute(UPDATE, *_values(new))
            rotated = [secret.digest for secret in old.secrets] != [secret.digest for secret in new.secrets]
            event = ClientChanged(
                client_id=client_id,
                change="secret_rotated" if rotated else "updated",
                changes=_changes(old, new, rotated=rotated),
            )
            await self._trail.write(connection, event)
        self._changed(event)
        return new

    async def remove(self, client_id: str) -> bool:
        async with self._postgres.transaction() as connection:
            record = await connection.fetchrow("DELETE FROM clients WHERE client_id = $1 RETURNING *", client_id)
            await connection.execute(END_SESSIONS, client_id, RevokedReason.CLIENT_REMOVED)
            # Nobody has allowed anything to a client that may take this name later.
            await connection.execute("DELETE FROM consents WHERE client_id = $1", client_id)
            if record is None:
                return False
            changes = changes_between(members_of(client_of_record(record)), {})
            event = ClientChanged(client_id=client_id, change="deleted", changes=changes)
            await self._trail.write(connection, event)
        self._changed(event)
        return True

    async def all(self) -> list[Client]:
        async with self._postgres.answering():
            return [_client(row) for row in await ClientRow.all().order_by("client_id")]

    async def page(self, search: str | None, limit: int, after: Place | None = None) -> Page[Client]:
        conditions = Conditions()
        if search:
            conditions.add(SEARCH, search, search)
        if after is not None:
            conditions.add(BEGIN, after.at, after.id)
        query = f"SELECT * FROM clients {conditions.where()} ORDER BY created_at DESC, client_id DESC LIMIT {limit + 1}"  # noqa: S608
        found = [client_of_record(record) for record in await self._reading.fetch(query, *conditions.arguments)]
        if (after is None or after.at != BUILT_IN.at) and _is_built_in(search):
            found.append(REST_CLIENT)
        return Page.of(found, limit, _place)

    async def signing_algorithms(self) -> frozenset[str]:
        async with self._postgres.connection() as connection:
            return frozenset(row["algorithm"] for row in await connection.fetch(SIGNING_ALGORITHMS))

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
    documents = {"secrets": secrets, "jwks": client.jwks}
    columns = {name: getattr(client, name) for name in COLUMNS}
    columns |= {name: orjson.dumps(value).decode() for name, value in documents.items() if value is not None}
    return [list(value) if isinstance(value, tuple) else value for value in columns.values()]


def client_of_record(record: asyncpg.Record) -> Client:
    documents = {name: orjson.loads(record[name]) for name in ("secrets", "jwks") if record[name] is not None}
    return _client(ClientRow(**dict(record) | documents))


def _client(row: ClientRow) -> Client:
    values = {field.name: getattr(row, field.name) for field in fields(Client)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    values["secrets"] = tuple(
        ClientSecret(secret["digest"], secret["expires_at"] and datetime.fromisoformat(secret["expires_at"]))
        for secret in row.secrets
    )
    return Client(**values)


def _changes(old: Client, new: Client, *, rotated: bool) -> Changes:
    secret = {"clientSecret": (HIDDEN, HIDDEN)} if rotated else {}
    return {**changes_between(members_of(old), members_of(new)), **secret}


def _place(client: Client) -> Place:
    return Place(client.created_at, client.client_id) if client.created_at else BUILT_IN


def _is_built_in(search: str | None) -> bool:
    wanted = (search or "").lower()
    return any(wanted in text.lower() for text in (REST_CLIENT.client_id, REST_CLIENT.name))
