"""Who changed something lately, for all nodes: `rc:{actor}` in Redis, for as long as a standby may be behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.changes import RecentChanges

PUT, GET = scripts.load("put"), scripts.load("get")
# Between the note and the commit that it announces.
LONGEST_CHANGE = timedelta(seconds=10)


class KnownChanges(RecentChanges, Protocol):
    async def includes(self, actor: str | None) -> bool:
        """Whether *actor* changed something lately. True also when that is not known."""


class RedisRecentChanges:
    """`idp.domain.operation.changes.RecentChanges`, kept so long that a standby knows of the change when it is forgotten."""

    def __init__(self, redis: RedisStore, longest_lag: timedelta) -> None:
        self._redis = redis
        self._kept = longest_lag + LONGEST_CHANGE

    async def note(self, actor: str) -> None:
        try:
            await self._redis.run(PUT, (_name(actor),), 1, int(self._kept.total_seconds() * 1000))
        except StoreUnavailable:
            return  # nobody learns of it, and a list may be a moment old: no reason to refuse the change

    async def includes(self, actor: str | None) -> bool:
        if actor is None:
            return False
        try:
            return await self._redis.run(GET, (_name(actor),)) is not None
        except StoreUnavailable:
            return True


class NoRecentChanges:
    """`idp.domain.operation.changes.RecentChanges` where there is no standby: it makes no difference."""

    async def note(self, actor: str) -> None:
        pass

    async def includes(self, actor: str | None) -> bool:
        return False


def _name(actor: str) -> bytes:
    return b"rc:{" + actor.encode() + b"}"
