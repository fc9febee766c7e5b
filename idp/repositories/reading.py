"""
Reading what may be a moment old: lists, counts, exports, statistics, profiles that were compared with the primary's.

A standby answers while one is usable, else the primary, at once. Whoever changed something lately is always answered by the
primary, so that administrators see what they have done. What a decision rests on is never read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from idp.database.postgres import Postgres
from idp.database.replicas import Replica, Replicas
from idp.domain.audit.events import origin
from idp.domain.errors import StoreUnavailable
from idp.repositories.operation.recent_changes import KnownChanges, NoRecentChanges


class Reading:
    def __init__(
        self,
        primary: Postgres,
        replicas: Replicas,
        changes: KnownChanges,
        *,
        on_read: Callable[[str], None] = lambda _target: None,
    ) -> None:
        """*on_read* is told of each read: "replica", "primary", or "fallback", which is the primary after a standby failed."""
        self._primary = primary
        self._replicas = replicas
        self._changes = changes
        self._on_read = on_read

    @classmethod
    def primary_alone(cls, primary: Postgres) -> Reading:
        return cls(primary, Replicas(primary, (), 1, timedelta()), NoRecentChanges())

    @property
    def spread(self) -> bool:
        """Whether there are standbys at all."""
        return len(self._replicas) > 0

    async def fetch(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """One statement that reads. Raises `StoreUnavailable` when the primary does not answer either."""
        target = "primary"
        replica = await self._chosen()
        if replica is not None:
            try:
                rows = await replica.fetch(query, *arguments)
            except StoreUnavailable:
                target = "fallback"
            else:
                self._on_read("replica")
                return rows
        self._on_read(target)
        async with self._primary.connection() as connection:
            found: Sequence[asyncpg.Record] = await connection.fetch(query, *arguments)
        return found

    async def fetch_one(self, query: str, *arguments: Any) -> asyncpg.Record:
        """The first row of a statement that gives one at least."""
        return (await self.fetch(query, *arguments))[0]

    async def _chosen(self) -> Replica | None:
        if not self.spread or await self._changes.includes(origin.get().actor):
            return None
        return self._replicas.choose()
