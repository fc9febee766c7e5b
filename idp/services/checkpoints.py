"""
Checkpoints: which generations are known to be used, told to Postgres in batches.

Redis forgets with a crash or an old backup. A floor in the session's record keeps a token that was used before the last
checkpoint recognisable even then. One statement per interval for all families that moved on enough, none per rotation.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from idp.domain.errors import StoreUnavailable
from idp.domain.sessions import Sessions

log = structlog.get_logger("idp.checkpoints")

GENERATIONS = 8
INTERVAL = 30.0
MOST_AT_ONCE = 1000


class Checkpoints:
    def __init__(self, sessions: Sessions, *, interval: float = INTERVAL) -> None:
        self._sessions = sessions
        self._interval = interval
        self._floors: dict[UUID, int] = {}

    def note(self, family_id: UUID, used_generation: int) -> None:
        """Called at each rotation; remembers one in `GENERATIONS`."""
        if used_generation % GENERATIONS == 0:
            self._floors[family_id] = used_generation

    async def write(self) -> None:
        """What was noted since the last time. Kept for the next time when the store is down."""
        while self._floors:
            batch = dict(list(self._floors.items())[:MOST_AT_ONCE])
            try:
                await self._sessions.raise_floors(batch)
            except StoreUnavailable as fault:
                log.warning("checkpoint_postponed", reason=str(fault), families=len(self._floors))
                return
            for family_id, floor in batch.items():
                if self._floors.get(family_id) == floor:
                    del self._floors[family_id]

    async def run(self) -> None:
        """Until cancelled; then writes what is left."""
        try:
            while True:
                await asyncio.sleep(self._interval)
                await self.write()
        finally:
            await self.write()
