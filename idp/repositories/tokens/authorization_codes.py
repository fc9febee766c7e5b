"""Authorization codes in Redis: `ac:{digest}`, a hash that expires by itself."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.tokens.authorization_codes import LIFETIME, REMEMBERED, AuthorizedGrant, Redeemed

ADD = scripts.load("code_add")
FIND = scripts.load("code_find")
REDEEM = scripts.load("code_redeem")
REUSED = scripts.load("code_reused")
IDS = ("user_id", "browser_session_id")
INSTANTS = ("auth_time", "consented_at")
KNOWN = {field.name for field in fields(AuthorizedGrant)}


class RedisAuthorizationCodes:
    def __init__(self, redis: RedisStore, *, lifetime: timedelta = LIFETIME) -> None:
        self._redis = redis
        self._lifetime = lifetime

    async def add(self, digest: str, grant: AuthorizedGrant) -> None:
        await self._redis.run(ADD, _keys(digest), orjson.dumps(asdict(grant), default=str), _ms(self._lifetime))

    async def find(self, digest: str) -> AuthorizedGrant | Redeemed | None:
        stored, session_id = await self._redis.run(FIND, _keys(digest))
        if session_id is not None:
            return Redeemed(UUID(bytes(session_id).decode()))
        return _grant(orjson.loads(stored)) if stored is not None else None

    async def redeem(self, digest: str, session_id: UUID) -> bool:
        return bool(await self._redis.run(REDEEM, _keys(digest), str(session_id), _ms(REMEMBERED)))

    async def used_again(self, digest: str) -> bool:
        return bool(await self._redis.run(REUSED, _keys(digest)))


def _grant(stored: dict[str, Any]) -> AuthorizedGrant:
    """Nodes of two releases may share the store: what one does not know it leaves out, what it does not find is the default."""
    values = {name: value for name, value in stored.items() if name in KNOWN}
    values |= {name: UUID(stored[name]) for name in IDS}
    values |= {name: datetime.fromisoformat(stored[name]) for name in INSTANTS if stored.get(name)}
    return AuthorizedGrant(**values | {"amr": tuple(stored["amr"])})


def _keys(digest: str) -> tuple[bytes]:
    return (b"ac:" + digest.encode(),)


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
