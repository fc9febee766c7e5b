"""Whether the stores answer."""

from __future__ import annotations

from collections.abc import Mapping

from idp.database.migration import missing
from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable

DEADLINE = 2.0


class DatabaseProbe:
    name = "database"

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def check(self) -> Mapping[str, object]:
        async with self._postgres.connection(DEADLINE) as connection:
            lacking = await missing(connection)
        if lacking:
            raise StoreUnavailable(reason="migrations are missing: run `idp db migrate`")
        return {"migrations": "current"}


class CacheProbe:
    name = "cache"

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def check(self) -> Mapping[str, object]:
        return await self._redis.ping()
