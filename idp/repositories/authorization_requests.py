"""Authorization requests under way, in Redis: `ar:{digest}`, one text that expires by itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.authorization import LIFETIME, AuthorizationRequest, ResponseMode, Target

PUT = scripts.load("put")
GET = scripts.load("get")
PROGRESS = ("signed_in", "account_chosen", "consented")


class RedisAuthorizationRequests:
    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def put(self, digest: str, request: AuthorizationRequest) -> None:
        # From when it was made: a step that is stored does not prolong it.
        left = int((request.created_at + LIFETIME - datetime.now(UTC)).total_seconds() * 1000)
        await self._redis.run(PUT, _keys(digest), orjson.dumps(asdict(request), default=str), max(left, 1))

    async def find(self, digest: str) -> AuthorizationRequest | None:
        stored = await self._redis.run(GET, _keys(digest))
        return _request(orjson.loads(stored)) if stored is not None else None


def _request(stored: dict[str, Any]) -> AuthorizationRequest:
    target = stored["target"]
    progress = {name: UUID(stored[name]) if stored[name] else None for name in PROGRESS}
    return AuthorizationRequest(
        **stored
        | progress
        | {
            "target": Target(**target | {"mode": ResponseMode(target["mode"])}),
            "prompt": tuple(stored["prompt"]),
            "created_at": datetime.fromisoformat(stored["created_at"]),
        }
    )


def _keys(digest: str) -> tuple[bytes]:
    return (b"ar:" + digest.encode(),)
