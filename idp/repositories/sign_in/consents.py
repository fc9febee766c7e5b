"""Consents in Postgres; withdrawing one ends the client's sessions of that user in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

import asyncpg
import orjson

from idp.database.postgres import Postgres
from idp.domain.audit.events import ConsentGranted, ConsentWithdrawn
from idp.domain.sessions.sessions import RevokedReason, Session
from idp.domain.sign_in.consents import Allowed, Consent
from idp.repositories.audit.events import AuditTrail, uuid7
from idp.repositories.sessions import logout_notices
from idp.repositories.sessions.sessions import SESSION, revocation_of, session_of

COLUMNS = ", ".join(field.name for field in fields(Consent))
FIND = f"SELECT {COLUMNS} FROM consents WHERE user_id = $1 AND client_id = $2"  # noqa: S608 - a dataclass' fields
LIST = f"SELECT {COLUMNS} FROM consents WHERE user_id = $1 ORDER BY updated_at DESC, client_id"  # noqa: S608
# Two at once, as from two tabs, add up whichever comes first; what was allowed to somebody who looked different does not.
GRANT = """
INSERT INTO consents (id, user_id, client_id, scope, resource_scopes, shown, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, now(), now())
ON CONFLICT (user_id, client_id) DO UPDATE SET updated_at = now(), shown = excluded.shown,
    scope = CASE WHEN consents.shown IS DISTINCT FROM excluded.shown THEN excluded.scope ELSE coalesce((
        SELECT string_agg(DISTINCT s, ' ' ORDER BY s)
        FROM unnest(string_to_array(consents.scope || ' ' || excluded.scope, ' ')) s WHERE s <> ''
    ), '') END,
    resource_scopes = CASE WHEN consents.shown IS DISTINCT FROM excluded.shown THEN excluded.resource_scopes ELSE coalesce((
        SELECT jsonb_object_agg(resource, scopes) FROM (
            SELECT resource, string_agg(DISTINCT s, ' ' ORDER BY s) AS scopes FROM (
                SELECT * FROM jsonb_each_text(consents.resource_scopes)
                UNION ALL SELECT * FROM jsonb_each_text(excluded.resource_scopes)
            ) AS given (resource, scope), unnest(string_to_array(scope, ' ')) s GROUP BY resource
        ) AS merged
    ), '{}') END
"""
DELETE = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2 RETURNING scope"
END_SESSIONS = f"""
UPDATE sessions SET revoked_at = now(), revoked_reason = $3
WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL AND expires_at > now() RETURNING {SESSION}
"""  # noqa: S608


class PostgresConsents:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def find(self, user_id: UUID, client_id: str) -> Consent | None:
        async with self._postgres.connection() as connection:
            row = await connection.fetchrow(FIND, user_id, client_id)
        return consent_of(row) if row else None

    async def grant(self, user_id: UUID, client_id: str, allowed: Allowed) -> None:
        event = ConsentGranted(
            user_id=user_id, client_id=client_id, scope=" ".join(allowed.scopes), resource=allowed.resource
        )
        scope, by_resource = " ".join(sorted(allowed.scopes)), {}
        if allowed.resource is not None:
            scope, by_resource = "", {allowed.resource: scope}
        documents = orjson.dumps(by_resource).decode()
        async with self._postgres.transaction() as connection:
            await connection.execute(GRANT, uuid7(), user_id, client_id, scope, documents, allowed.shown)
            await self._trail.write(connection, event)
        self._trail.announce(event)

    async def withdraw(self, user_id: UUID, client_id: str) -> Sequence[Session] | None:
        async with self._postgres.transaction() as connection:
            if await connection.fetchval(DELETE, user_id, client_id) is None:
                return None
            ended = await connection.fetch(END_SESSIONS, user_id, client_id, RevokedReason.CONSENT_WITHDRAWN)
            await logout_notices.queue(connection, ended)
            events = [
                ConsentWithdrawn(user_id=user_id, client_id=client_id),
                *(revocation_of(row, RevokedReason.CONSENT_WITHDRAWN) for row in ended),
            ]
            await self._trail.write(connection, *events)
        self._trail.announce(*events)
        return list(map(session_of, ended))

    async def list_of(self, user_id: UUID) -> list[Consent]:
        async with self._postgres.connection() as connection:
            return [consent_of(row) for row in await connection.fetch(LIST, user_id)]


def consent_of(row: asyncpg.Record) -> Consent:
    return Consent(**dict(row) | {"resource_scopes": orjson.loads(row["resource_scopes"])})
