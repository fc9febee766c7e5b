"""The facts of the stores that an examination rests on (`idp.domain.diagnosis.Stores`), on connections of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from idp.database import migration
from idp.database.postgres import answering
from idp.database.redis import RedisStore
from idp.database.servers import Servers
from idp.domain.diagnosis import CacheFacts, DatabaseFacts, Rights

CONNECT_TIMEOUT = 5.0

ROLE = """
SELECT session_user::text AS role, current_setting('server_version_num')::int / 10000 AS version,
    clock_timestamp() AS clock
"""

# A role that is a member of a table's owner may change the table.
RIGHTS = """
SELECT rolsuper AS superuser,
    has_database_privilege(current_database(), 'CREATE')
        OR has_schema_privilege('public', 'CREATE')
        OR EXISTS (
            SELECT FROM pg_class t WHERE t.relkind IN ('r', 'p') AND pg_has_role(t.relowner, 'MEMBER')
            AND t.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'audit'))
        ) AS changes_tables,
    EXISTS (
        SELECT FROM pg_class t WHERE t.relname = 'events' AND has_table_privilege(t.oid, 'UPDATE, DELETE, TRUNCATE')
        AND t.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = 'audit')
    ) AS rewrites_trail
FROM pg_roles WHERE rolname = session_user
"""


class StoreExamination:
    def __init__(self, database_url: str, migration_url: str, redis_url: str) -> None:
        self._database_url = database_url
        self._migration_url = migration_url
        self._redis_url = redis_url

    async def database(self) -> DatabaseFacts:
        async with _connected(self._database_url) as connection:
            known = await connection.fetchrow(ROLE)
            ahead = known["clock"] - datetime.now(UTC)
            rights = await connection.fetchrow(RIGHTS)
            missing = await migration.missing(connection)
        return DatabaseFacts(
            role=known["role"],
            version=known["version"],
            clock_ahead=ahead,
            missing_steps=missing,
            rights=Rights(**rights),
        )

    async def migrating_role(self) -> str:
        async with _connected(self._migration_url) as connection:
            role: str = (await connection.fetchrow(ROLE))["role"]
        return role

    async def cache(self) -> CacheFacts:
        store = RedisStore(self._redis_url)
        try:
            info = await store.info()
        finally:
            await store.close()
        return CacheFacts(
            version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
            clock_ahead=_clock(info) - datetime.now(UTC),
            maxmemory_policy=info.get("maxmemory_policy"),
            appends=bool(info.get("aof_enabled")),
        )


def _clock(info: dict[str, Any]) -> datetime:
    """Ours, when the server does not tell."""
    microseconds = info.get("server_time_usec")
    if microseconds is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(microseconds))


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    async with answering():
        connection = await Servers(url).connect(timeout=CONNECT_TIMEOUT)
        try:
            yield connection
        finally:
            await connection.close()
