"""Used assertions in Redis: `ca:{digest of client and jti}`, until the assertion has expired."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from idp.database import scripts
from idp.database.redis import RedisStore

ONCE = scripts.load("once")
# Of two nodes one may take an assertion for valid a little longer than the other.
CLOCKS_DIFFER = timedelta(minutes=1)


class RedisUsedAssertions:
    def __init__(self, redis: RedisStore, now: Callable[[], datetime]) -> None:
        self._redis = redis
        self._now = now

    async def spend(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        kept = max(expires_at - self._now(), timedelta()) + CLOCKS_DIFFER
        # No client id holds a NUL, so no two pairs have one text.
        digest = hashlib.sha256(f"{client_id}\0{jti}".encode()).hexdigest()
        name = b"ca:{" + digest.encode() + b"}"
        call = secrets.token_hex(16)
        return bool(int(await self._redis.run(ONCE, (name,), call, int(kept.total_seconds() * 1000))))
