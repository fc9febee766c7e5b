"""
Families of refresh tokens in Redis: `rt:{family}`, one hash of about 250 bytes that expires by itself.

Its fields must stay below 64 bytes each: a longer one more than doubles the memory of every session.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from uuid import UUID

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.refresh_tokens import Outcome, RefreshToken, Rotation

# A thief who refreshes in step with the victim, always within the grace, is caught at the rotation after these.
REPLAYED_GENERATIONS = 3
# Redis' clock may jump by this much when a replica takes over.
CLOCK_SKEW = timedelta(seconds=5)

START = scripts.load("family_start")
ROTATE = scripts.load("family_rotate")
END = scripts.load("family_end")


class RedisFamilies:
    def __init__(self, redis: RedisStore, *, grace: timedelta) -> None:
        self._redis = redis
        self._grace = _ms(grace)
        self._skew = _ms(CLOCK_SKEW)

    async def start(self, family_id: UUID, client_id: str, nonce: bytes, expires_at: datetime) -> RefreshToken:
        answer = await self._redis.run(START, family_key(family_id), nonce, client_id, _epoch_ms(expires_at))
        return RefreshToken(family_id, int(answer[0]), int(answer[2]), bytes(answer[1]))

    async def rotate(
        self, presented: RefreshToken, client_id: str, nonce: bytes, *, rebuild_until: datetime | None = None
    ) -> Rotation:
        answer = await self._redis.run(
            ROTATE,
            family_key(presented.family_id),
            presented.generation,
            presented.nonce,
            presented.issued_at,
            nonce,
            client_id,
            self._grace,
            REPLAYED_GENERATIONS,
            self._skew,
            _epoch_ms(rebuild_until) if rebuild_until else "",
        )
        outcome = Outcome(answer[0].decode())
        if len(answer) == 4:
            return Rotation(
                outcome, RefreshToken(presented.family_id, int(answer[1]), int(answer[3]), bytes(answer[2]))
            )
        return Rotation(outcome, reason=answer[1].decode() if len(answer) > 1 else None)

    async def end(self, family_id: UUID, reason: str, expires_at: datetime) -> None:
        await self._redis.run(END, family_key(family_id), reason, _epoch_ms(expires_at))


def family_key(family_id: UUID) -> bytes:
    return b"rt:{" + base64.urlsafe_b64encode(family_id.bytes).rstrip(b"=") + b"}"


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _epoch_ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
