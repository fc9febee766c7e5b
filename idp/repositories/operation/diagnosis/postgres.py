"""What Postgres tells of itself and of the role that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import asyncpg

from idp.database import migration
from idp.database.postgres import answering, unavailable
from idp.database.servers import Servers
from idp.domain.operation.diagnosis import Connections, DatabaseFacts, ReplicaFacts, Rights, Transport

CONNECT_TIMEOUT = 5.0
VERIFYING = ("verify-ca", "verify-full")
COMMIT = ("fsync", "full_page_writes", "synchronous_commit")
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

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

# Behind a pooler this is the pooler's connection to the server.
TRANSPORT = """
SELECT inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS local,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted
"""

CONNECTIONS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS most,
    (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS used
"""

VALUES = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)"

REPLICA = """
SELECT pg_is_in_recovery() AS standby, CASE
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
END::float AS behind
"""


async def facts(url: str) -> DatabaseFacts:
    async with connected(url) as connection:
        known = await connection.fetchrow(ROLE)
        ahead = known["clock"] - datetime.now(UTC)
        named = {row["name"]: row["setting"] for row in await connection.fetch(VALUES, [*COMMIT, *TIMEOUTS])}
        return DatabaseFacts(
            role=known["role"],
            version=known["version"],
            clock_ahead=ahead,
            missing_steps=await migration.missing(connection),
            rights=Rights(**await connection.fetchrow(RIGHTS)),
            transport=Transport(**await connection.fetchrow(TRANSPORT), verified=_verifies(url)),
            commit={name: named[name] for name in COMMIT},
            timeouts={name: int(named[name]) for name in TIMEOUTS},
            connections=Connections(**await connection.fetchrow(CONNECTIONS)),
        )


async def role(url: str) -> str:
    async with connected(url) as connection:
        return str((await connection.fetchrow(ROLE))["role"])


async def replica(url: str) -> ReplicaFacts:
    async with connected(url) as connection:
        told = await connection.fetchrow(REPLICA)
    behind = told["behind"]
    return ReplicaFacts(standby=told["standby"], lag=None if behind is None else timedelta(seconds=max(behind, 0.0)))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    async with answering():
        try:
            connection = await Servers(url).connect(timeout=CONNECT_TIMEOUT)
            try:
                yield connection
            finally:
                await connection.close()
        except asyncpg.PostgresError as fault:  # a right that the role lacks, too
            raise unavailable(fault) from fault


def _verifies(url: str) -> bool:
    return parse_qs(urlsplit(url).query).get("sslmode", [""])[-1] in VERIFYING
