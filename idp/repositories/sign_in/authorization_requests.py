"""
Authorization requests under way, in Redis: `ar:{digest}`, one text that expires by itself.

Anybody can have one stored, so it holds no member that has its default, but for those that an earlier release needs to read.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.sign_in.authorization import LIFETIME, AuthorizationRequest, ResponseMode, Target

PUT = scripts.load("put")
GET = scripts.load("get")
PROGRESS = ("signed_in", "account_chosen", "consented")
ALWAYS = {*PROGRESS, "prompt"}
DEFAULTS = {each.name: each.default for each in fields(AuthorizationRequest)}
# The digest of a browser's cookie and three ids of its sessions, which come later.
LATER = 64 + 3 * 36


class RedisAuthorizationRequests:
    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    def size(self, request: AuthorizationRequest) -> int:
        return len(_stored(request)) + LATER

    async def put(self, digest: str, request: AuthorizationRequest) -> None:
        # From when it was made: a step that is stored does not prolong it.
        left = int((request.created_at + LIFETIME - datetime.now(UTC)).total_seconds() * 1000)
        await self._redis.run(PUT, _keys(digest), _stored(request), max(left, 1))

    async def find(self, digest: str) -> AuthorizationRequest | None:
        stored = await self._redis.run(GET, _keys(digest))
        return _request(orjson.loads(stored)) if stored is not None else None


def _stored(request: AuthorizationRequest) -> bytes:
    values = asdict(request)
    values["target"] = {name: value for name, value in values["target"].items() if value is not None}
    told = {name: value for name, value in values.items() if name in ALWAYS or value != DEFAULTS[name]}
    return orjson.dumps(told, default=str)


def _request(stored: dict[str, Any]) -> AuthorizationRequest:
    target = stored["target"]
    progress = {name: UUID(found) if (found := stored.get(name)) else None for name in PROGRESS}
    return AuthorizationRequest(
        **stored
        | progress
        | {
            "target": Target(**target | {"mode": ResponseMode(target["mode"])}),
            "prompt": tuple(stored.get("prompt", ())),
            "created_at": datetime.fromisoformat(stored["created_at"]),
        }
    )


def _keys(digest: str) -> tuple[bytes]:
    return (b"ar:" + digest.encode(),)
