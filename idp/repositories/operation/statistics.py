"""Counting in Postgres and asking Redis about itself. Every count follows an index that holds no more than what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.domain.operation.statistics import COUNTED, SUMMED, CacheState, DatabaseState, SessionCounts, UserCounts
from idp.repositories.reading import Reading

USERS = """
SELECT (SELECT count(*) FROM users) AS total,
    (SELECT count(*) FROM users WHERE status = 'disabled') AS disabled,
    (SELECT count(*) FROM users WHERE roles @> ARRAY['ADMIN']) AS administrators,
    (SELECT count(*) FROM users WHERE created_at > now() - interval '24 hours') AS created_last_24h
"""
SESSIONS = """
SELECT (SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND expires_at > now()) AS active,
    (SELECT count(*) FROM sessions WHERE created_at > now() - interval '24 hours') AS created_last_24h
"""
# By the index of names and instants alone; only events that count several are read themselves.
TALLY = """
SELECT name, count(*) AS amount FROM audit.events
WHERE name = ANY($3::text[]) AND at >= $1 AND at < $2 GROUP BY name
UNION ALL
SELECT name, sum((detail ->> 'count')::bigint)::bigint FROM audit.events
WHERE name = ANY($4::text[]) AND at >= $1 AND at < $2 GROUP BY name
"""
ALONE = sorted(set(COUNTED.values()) - SUMMED)


class StoreStatistics:
    def __init__(self, postgres: Postgres, reading: Reading, redis: RedisStore) -> None:
        self._postgres = postgres
        self._reading = reading
        self._redis = redis

    async def users(self) -> UserCounts:
        return UserCounts(**await self._reading.fetch_one(USERS))

    async def sessions(self) -> SessionCounts:
        return SessionCounts(**await self._reading.fetch_one(SESSIONS))

    async def tally(self, since: datetime, until: datetime) -> Mapping[str, int]:
        rows = await self._reading.fetch(TALLY, since, until, ALONE, sorted(SUMMED))
        amounts = {row["name"]: row["amount"] for row in rows}
        return {word: amounts.get(name, 0) for word, name in COUNTED.items()}

    async def database(self) -> DatabaseState:
        async with self._postgres.connection() as connection:
            version = await connection.fetchval("SELECT current_setting('server_version')")
        return DatabaseState(version=str(version).split()[0], pool=self._postgres.pool_state())

    async def cache(self) -> CacheState:
        """Sums, over the shards of a cluster."""
        infos = await self._redis.info()

        def together(name: str) -> int:
            return sum(int(info.get(name, 0)) for info in infos)

        return CacheState(
            version=str(infos[0].get("valkey_version") or infos[0].get("redis_version") or "unknown"),
            hits=together("keyspace_hits"),
            misses=together("keyspace_misses"),
            used_memory=together("used_memory"),
        )
