"""Requests to sign out that wait for the user, in Redis: `lr:{digest}`, one text that expires by itself."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

import orjson

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.sessions.logout import LIFETIME, LogoutRequest

PUT = scripts.load("put")
GET = scripts.load("get")
FORGET = scripts.load("forget")


class RedisLogoutRequests:
    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def put(self, digest: str, request: LogoutRequest) -> None:
        # What has no value is left out, but for what an earlier release needs to read; a flag that it does not know too.
        stored = {
            name: value for name, value in asdict(request).items() if value not in (None, False) or name == "session_id"
        }
        lifetime = int(LIFETIME.total_seconds() * 1000)
        await self._redis.run(PUT, _keys(digest), orjson.dumps(stored), lifetime)

    async def find(self, digest: str) -> LogoutRequest | None:
        stored = await self._redis.run(GET, _keys(digest))
        if stored is None:
            return None
        values = orjson.loads(stored)
        return LogoutRequest(**values | {"session_id": UUID(found) if (found := values.get("session_id")) else None})

    async def remove(self, digest: str) -> None:
        await self._redis.run(FORGET, _keys(digest))


def _keys(digest: str) -> tuple[bytes]:
    return (b"lr:" + digest.encode(),)
