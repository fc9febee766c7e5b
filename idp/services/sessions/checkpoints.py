"""
Checkpoints: which generations are known to be used, and when sessions were, told to Postgres in batches.

Redis forgets with a crash or an old backup. A floor in the session's record keeps a token that was used before the last
checkpoint recognisable even then. One statement per interval for all families that moved on enough, none per rotation.
The last use is for lists of sessions, and noted once in five minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from idp.domain.audit.events import origin
from idp.domain.errors import StoreUnavailable
from idp.domain.sessions.sessions import Session, Sessions, Use

log = structlog.get_logger("idp.checkpoints")

GENERATIONS = 8
INTERVAL = 30.0
MOST_AT_ONCE = 1000
USE_NOTED_EVERY = timedelta(minutes=5)

Noted = TypeVar("Noted")


class Checkpoints:
    def __init__(self, sessions: Sessions, *, interval: float = INTERVAL) -> None:
        self._sessions = sessions
        self._interval = interval
        self._floors: dict[UUID, int] = {}
        self._uses: dict[UUID, Use] = {}

    def note(self, family_id: UUID, used_generation: int) -> None:
        """Called at each rotation; remembers one in `GENERATIONS`."""
        if used_generation % GENERATIONS == 0:
            self._floors[family_id] = used_generation

    def used(self, session: Session, at: datetime) -> None:
        """Called at each rotation, with what the record said."""
        if session.last_used_at is None or at - session.last_used_at >= USE_NOTED_EVERY:
            self._uses[session.id] = Use(at, origin.get().address)

    async def write(self) -> None:
        """What was noted since the last time. Kept for the next time when the store is down."""
        try:
            await _emptied(self._floors, self._sessions.raise_floors)
            await _emptied(self._uses, self._sessions.note_uses)
        except StoreUnavailable as fault:
            log.warning("checkpoint_postponed", reason=str(fault), families=len(self._floors))

    async def run(self) -> None:
        """Until cancelled; then writes what is left."""
        try:
            while True:
                await asyncio.sleep(self._interval)
                await self.write()
        finally:
            await self.write()


async def _emptied(noted: dict[UUID, Noted], write: Callable[[Mapping[UUID, Noted]], Awaitable[None]]) -> None:
    """What is noted anew while it is written stays."""
    while noted:
        batch = dict(list(noted.items())[:MOST_AT_ONCE])
        await write(batch)
        for name, value in batch.items():
            if noted.get(name) == value:
                del noted[name]
