"""Revoked access tokens in Postgres. Those of a session are looked up together with it: see `PostgresSessions.find`."""

from __future__ import annotations

from datetime import datetime

from idp.database.postgres import Postgres
from idp.domain.audit.events import AccessTokenRevoked
from idp.repositories.audit.events import AuditTrail

INSERT = "INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING RETURNING jti"
HOLDS = "SELECT EXISTS (SELECT FROM revoked_tokens WHERE jti = $1)"
PURGE = "DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at < $1 LIMIT $2)"


class PostgresRevokedTokens:
    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def add(self, jti: str, expires_at: datetime, event: AccessTokenRevoked) -> bool:
        async with self._postgres.transaction() as connection:
            if await connection.fetchval(INSERT, jti, expires_at) is None:
                return False
            await self._trail.write(connection, event)
        self._trail.announce(event)
        return True

    async def holds(self, jti: str) -> bool:
        async with self._postgres.connection() as connection:
            return bool(await connection.fetchval(HOLDS, jti))

    async def purge(self, before: datetime, most: int) -> int:
        async with self._postgres.connection() as connection:
            return int((await connection.execute(PURGE, before, most)).split()[-1])
