"""
Events that happen too often to be written one by one, counted and written in batches.

A refresh writes nothing to Postgres but its checkpoint, and a forged token, or one of another client, costs who sends it
nothing: these are kept in memory for a moment, added up by whom they concern and where they came from, and leave in one
statement. The store may be down for a while: what waits is bounded, and what no longer fits is added up without saying whom
it concerns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from idp.domain.audit.events import Counted, Events, Occurrence, Origin, origin
from idp.domain.errors import StoreUnavailable
from idp.domain.sessions.sessions import Session

log = structlog.get_logger("idp.audit")

# The chain of the trail is locked while a batch is written: 16 ms for so many.
MOST_AT_ONCE = 200

Key = tuple[UUID | None, str | None, tuple[tuple[str, str], ...]]
REST: Key = (None, None, ())


@dataclass(slots=True)
class _Tally:
    session: Session | None
    at: datetime
    origin: Origin
    detail: Mapping[str, Any]
    count: int = 1


class CountedEvents:
    """*kind* of event, written every *interval* seconds; at most *most* of them wait to be told apart."""

    def __init__(
        self, kind: type[Counted], events: Events, *, now: Callable[[], datetime], interval: float, most: int
    ) -> None:
        self._kind = kind
        self._events = events
        self._now = now
        self._interval = interval
        self._most = most
        self._waiting: dict[Key, _Tally] = {}

    def note(self, session: Session | None = None, **detail: str) -> None:
        """Once, of *session* with this *detail*, from where the present request comes."""
        where = origin.get()
        key: Key = (session.id if session else None, where.address, tuple(sorted(detail.items())))
        known = self._waiting.get(key)
        if known is not None:
            known.count += 1
        else:
            self._add(key, _Tally(session, self._now(), where, detail))

    async def write(self) -> None:
        """What was noted since the last time. Kept for the next time when the store is down."""
        while self._waiting:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:MOST_AT_ONCE]}
            try:
                await self._events.record_all([self._occurrence(tally) for tally in batch.values()])
            except BaseException as fault:
                for key, tally in batch.items():
                    self._add(key, tally)
                if not isinstance(fault, StoreUnavailable):
                    raise
                log.warning("events_postponed", name=self._kind.name, reason=str(fault), waiting=len(self._waiting))
                return

    async def run(self) -> None:
        """Until cancelled; then writes what is left."""
        try:
            while True:
                await asyncio.sleep(self._interval)
                await self.write()
        finally:
            await self.write()

    def _add(self, key: Key, tally: _Tally) -> None:
        if key not in self._waiting and len(self._waiting) >= self._most:
            key, tally = REST, _Tally(None, tally.at, Origin(), {}, tally.count)
        if known := self._waiting.get(key):
            known.count += tally.count
        else:
            self._waiting[key] = tally

    def _occurrence(self, tally: _Tally) -> Occurrence:
        session = tally.session
        if session is None:
            event = self._kind(count=tally.count, **tally.detail)
        else:
            event = self._kind(
                count=tally.count,
                user_id=session.user_id,
                client_id=session.client_id,
                session_id=session.id,
                **tally.detail,
            )
        return Occurrence(event, tally.at, tally.origin)
