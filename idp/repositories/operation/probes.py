"""Whether the stores answer, and take writes: a sign-in needs both."""

from __future__ import annotations

from collections.abc import Mapping

from asyncpg.exceptions import ReadOnlySQLTransactionError

from idp.database.migration import missing
from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.database.replicas import Replicas
from idp.domain.errors import StoreUnavailable

DEADLINE = 2.0
READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"


class DatabaseProbe:
    name = "database"

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def check(self) -> Mapping[str, object]:
        async with self._postgres.connection(DEADLINE) as connection:
            # A pooler may keep to itself what its server tells unasked.
            if await connection.fetchval(READ_ONLY):
                raise ReadOnlySQLTransactionError("this server takes no writes")
            lacking = await missing(connection)
        if lacking:
            raise StoreUnavailable(reason="migrations are missing: run `idp db migrate`")
        return {"migrations": "current"}


class ReplicaProbe:
    """What the last look at the standbys gave. Without them everything is served, so they never count as unavailable."""

    name = "replicas"

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    async def check(self) -> Mapping[str, object]:
        states = self._replicas.states()
        return {
            "status": "ok" if all(state.usable for state in states) else "degraded",
            "replicas": [
                {
                    "number": state.number,
                    "status": "ok" if state.usable else "unavailable",
                    "lagMs": None if state.lag is None else round(state.lag * 1000),
                }
                for state in states
            ],
        }


class CacheProbe:
    name = "cache"

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def check(self) -> Mapping[str, object]:
        return await self._redis.ping()
