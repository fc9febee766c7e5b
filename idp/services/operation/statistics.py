"""
Statistics, put together anew at most every five seconds in each process, whoever asks and however often.

What happened in an hour or a day that is over does not change, so it is counted once and remembered: each time, only the
present hour is counted in the trail.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.statistics import (
    COUNTED,
    CacheState,
    DatabaseState,
    SessionCounts,
    StatisticsSource,
    UserCounts,
)

log = structlog.get_logger("idp.statistics")

KEPT = timedelta(seconds=5)
HOURS = 24
DAYS = 30
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Events that are gathered first reach the trail a little later than they happened.
LATEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Period:
    """*counts*: what `COUNTED` names → how many, in the hour or the day that begins at *begin*, in UTC."""

    begin: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The latencies are those of one question, in milliseconds. *cache* None: it does not answer."""

    generated_at: datetime
    users: UserCounts
    sessions: SessionCounts
    hourly: tuple[Period, ...]
    daily: tuple[Period, ...]
    database: DatabaseState
    database_latency: float
    cache: CacheState | None
    cache_latency: float


@dataclass(slots=True)
class Statistics:
    source: StatisticsSource
    now: Callable[[], datetime]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _latest: Overview | None = None
    _over: dict[tuple[datetime, timedelta], Period] = field(default_factory=dict)

    async def overview(self) -> Overview:
        """Up to `KEPT` old. Raises `StoreUnavailable` while the database does not answer; without the cache it says so."""
        async with self._turn:
            now = self.now()
            if self._latest is None or now - self._latest.generated_at >= KEPT:
                self._latest = await self._made(now)
            return self._latest

    async def _made(self, now: datetime) -> Overview:
        this_hour = now.replace(minute=0, second=0, microsecond=0)
        today = this_hour.replace(hour=0)
        hourly = [await self._period(this_hour - past * HOUR, HOUR, now) for past in reversed(range(HOURS))]
        daily = [await self._period(today - past * DAY, DAY, now) for past in reversed(range(1, DAYS))]
        daily.append(_sum(today, [hour for hour in hourly if hour.begin >= today]))
        self._forget(daily[0].begin)
        asked = time.perf_counter()
        database = await self.source.database()
        database_latency = _milliseconds_since(asked)
        asked = time.perf_counter()
        cache = await self._cache()
        return Overview(
            generated_at=now,
            users=await self.source.users(),
            sessions=await self.source.sessions(),
            hourly=tuple(hourly),
            daily=tuple(daily),
            database=database,
            database_latency=database_latency,
            cache=cache,
            cache_latency=_milliseconds_since(asked),
        )

    async def _period(self, begin: datetime, length: timedelta, now: datetime) -> Period:
        known = self._over.get((begin, length))
        if known is not None:
            return known
        period = Period(begin, await self.source.tally(begin, begin + length))
        if begin + length + LATEST <= now:
            self._over[begin, length] = period
        return period

    def _forget(self, before: datetime) -> None:
        self._over = {place: period for place, period in self._over.items() if period.begin >= before}

    async def _cache(self) -> CacheState | None:
        try:
            return await self.source.cache()
        except StoreUnavailable as fault:
            log.warning("cache_not_examined", reason=str(fault))
            return None


def _sum(begin: datetime, parts: Sequence[Period]) -> Period:
    return Period(begin, {word: sum(part.counts[word] for part in parts) for word in COUNTED})


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
