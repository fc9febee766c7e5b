"""
Families of refresh tokens in Redis: `rt:{user}family`, one hash of at most 300 bytes that expires by itself.

Its fields must stay below 64 bytes each: a longer one more than doubles the memory of every session. The user in the key
puts the families of one user and the counter of that user's refreshes, `rf:{user}`, into one slot of a cluster, so that one
script decides about both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.operation.limits import Category, Decision, Limit, OnDecision, unobserved
from idp.domain.tokens.refresh_tokens import UNKNOWN, Outcome, Place, RefreshToken, Rotation
from idp.repositories.operation.limits import BUCKETS, network, seconds

PLACE_SIZE = 12
# Redis' clock may jump by this much when a replica takes over.
CLOCK_SKEW = timedelta(seconds=5)
LONGEST_FIELD = 64  # bytes

START = scripts.load("family_start")
ROTATE = scripts.load("window", "family_rotate")
LOOK = scripts.load("family_look")
END = scripts.load("family_end")


class RedisFamilies:
    """
    *key* hides places: neither an address nor whether two families share one can be read from the store. *repeats*: at so
    many generations in a row a retired token may be repeated from another place; a thief who refreshes in step with the
    owner, always within the *grace*, is caught at the next. *limit* is that on the refreshes of each user; *on_decision* is
    told of its decisions.
    """

    def __init__(
        self,
        redis: RedisStore,
        *,
        key: bytes,
        grace: timedelta,
        repeats: int,
        limit: Limit | None = None,
        on_decision: OnDecision = unobserved,
    ) -> None:
        self._redis = redis
        self._key = key
        self._grace = _ms(grace)
        self._repeats = repeats
        self._skew = _ms(CLOCK_SKEW)
        self._limit = limit
        self._limiting = (limit.count, _ms(limit.window), BUCKETS) if limit else ()
        self._on_decision = on_decision

    async def start(
        self, family_id: UUID, user_id: UUID, client_id: str, nonce: bytes, expires_at: datetime
    ) -> RefreshToken | None:
        keys = (family_key(family_id, user_id),)
        answer = await self._redis.run(START, keys, nonce, _client(client_id), _epoch_ms(expires_at))
        if len(answer) == 1:
            return None
        return RefreshToken(family_id, int(answer[0]), int(answer[2]), bytes(answer[1]))

    async def rotate(
        self,
        presented: RefreshToken,
        user_id: UUID,
        client_id: str,
        nonce: bytes,
        *,
        place: Place = UNKNOWN,
        rebuild_until: datetime | None = None,
    ) -> Rotation:
        key = family_key(presented.family_id, user_id)
        answer = await self._redis.run(
            ROTATE,
            (key, refreshes_key(user_id)) if self._limit else (key,),
            presented.generation,
            presented.nonce,
            presented.issued_at,
            nonce,
            _client(client_id),
            self._grace,
            self._repeats,
            self._skew,
            _epoch_ms(rebuild_until) if rebuild_until else "",
            self._digest(place, presented),
            *self._limiting,
        )
        return self._rotation(presented.family_id, Outcome(answer[0].decode()), answer[1:])

    async def look(self, presented: RefreshToken, user_id: UUID) -> Outcome:
        keys = (family_key(presented.family_id, user_id),)
        answer = await self._redis.run(
            LOOK, keys, presented.generation, presented.nonce, presented.issued_at, self._skew
        )
        return Outcome(answer.decode())

    async def end(self, family_id: UUID, user_id: UUID, reason: str, expires_at: datetime) -> None:
        await self._redis.run(END, (family_key(family_id, user_id),), reason, _epoch_ms(expires_at))

    def _digest(self, place: Place, presented: RefreshToken) -> bytes:
        """Empty for an unknown place. Another for each generation, see the script."""
        if place.address is None:
            return b""
        where = f"{network(place.address)}\n{place.user_agent or ''}".encode("utf-8", "surrogatepass")
        message = presented.family_id.bytes + presented.generation.to_bytes(4, "big") + where
        return hmac.digest(self._key, message, "sha256")[:PLACE_SIZE]

    def _rotation(self, family_id: UUID, outcome: Outcome, rest: Sequence[Any]) -> Rotation:
        if outcome is Outcome.LIMITED:
            return Rotation(outcome, decision=self._decision(False, 0, rest[1], fits_in=rest[0]))
        if len(rest) < 3:
            return Rotation(outcome, reason=rest[0].decode() if rest else None)
        successor = RefreshToken(family_id, int(rest[0]), int(rest[2]), bytes(rest[1]))
        decision = self._decision(True, rest[3], rest[4]) if len(rest) == 5 else None
        return Rotation(outcome, successor, decision=decision)

    def _decision(self, allowed: bool, remaining: int, empty_in: int, *, fits_in: int = 0) -> Decision:
        self._on_decision(Category.REFRESH, allowed, False)
        count = self._limit.count if self._limit else 0
        return Decision(allowed, count, remaining, reset=seconds(empty_in), retry_after=seconds(fits_in))


def family_key(family_id: UUID, user_id: UUID) -> bytes:
    return b"rt:" + _tag(user_id) + _text(family_id.bytes)


def refreshes_key(user_id: UUID) -> bytes:
    return b"rf:" + _tag(user_id)


def _client(client_id: str) -> bytes:
    """As the hash holds it: of a long one a digest, which is as short as the other fields."""
    raw = client_id.encode()
    return raw if len(raw) <= LONGEST_FIELD else _text(hashlib.sha256(raw).digest())


def _tag(user_id: UUID) -> bytes:
    """Twelve characters: the whole id would cost each session as many more, and ids that were imported may differ in any part."""
    return b"{" + _text(hashlib.blake2b(user_id.bytes, digest_size=9).digest()) + b"}"


def _text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _epoch_ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
