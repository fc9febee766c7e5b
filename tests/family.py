"""One family of refresh tokens, and the hand that reaches into its store."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import redis.asyncio

from idp.database.redis import RedisStore
from idp.domain.operation.limits import Limit
from idp.domain.tokens.refresh_tokens import NONCE_SIZE, UNKNOWN, Outcome, Place, RefreshToken, Rotation
from idp.repositories.tokens.families import RedisFamilies, family_key

GRACE = timedelta(seconds=10)
AFTER_GRACE = GRACE + timedelta(seconds=1)
MOMENT = timedelta(seconds=1)
KEY = b"a key of places for tests"
HOME = Place("203.0.113.7", "Firefox")
ELSEWHERE = Place("198.51.100.9", "Firefox")


def families_in(
    store: RedisStore, *, grace: timedelta = GRACE, repeats: int = 3, limit: Limit | None = None
) -> RedisFamilies:
    return RedisFamilies(store, key=KEY, grace=grace, repeats=repeats, limit=limit)


def nonce() -> bytes:
    return secrets.token_bytes(NONCE_SIZE)


@dataclass
class Family:
    """*store* rotates; *cache* sees and changes the hash itself."""

    store: RedisFamilies
    cache: redis.asyncio.Redis
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=7))
    id: UUID = field(default_factory=uuid4)
    user_id: UUID = field(default_factory=uuid4)

    @property
    def key(self) -> bytes:
        return family_key(self.id, self.user_id)

    async def started(self) -> RefreshToken:
        first = await self.store.start(self.id, self.user_id, "app", nonce(), self.expires_at)
        assert first is not None
        return first

    async def rotate(
        self, token: RefreshToken, proposed: bytes | None = None, client: str = "app", place: Place = UNKNOWN
    ) -> Rotation:
        return await self.store.rotate(token, self.user_id, client, proposed or nonce(), place=place)

    async def outcome(self, token: RefreshToken, place: Place = UNKNOWN) -> Outcome:
        return (await self.rotate(token, place=place)).outcome

    async def next(self, token: RefreshToken, place: Place = UNKNOWN) -> RefreshToken:
        rotation = await self.rotate(token, place=place)
        assert rotation.successor is not None, rotation
        return rotation.successor

    async def rebuilt(self, token: RefreshToken, place: Place = UNKNOWN) -> Rotation:
        return await self.store.rotate(token, self.user_id, "app", nonce(), place=place, rebuild_until=self.expires_at)

    async def time_passes(self, span: timedelta) -> None:
        await self.cache.hincrby(self.key, "t", -int(span.total_seconds() * 1000))

    async def remembered(self) -> bytes:
        snapshot = await self.cache.dump(self.key)
        assert snapshot is not None
        return snapshot

    async def set_back(self, snapshot: bytes) -> None:
        await self.cache.restore(self.key, 0, snapshot, replace=True)

    async def forgotten(self) -> None:
        await self.cache.delete(self.key)


def earlier(token: RefreshToken, span: timedelta) -> RefreshToken:
    return replace(token, issued_at=token.issued_at - int(span.total_seconds() * 1000))
