"""`GET /admin/stats`: how many there are, what happened lately, how the stores are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from quart import Blueprint

from idp.controllers.http.access import Guard
from idp.controllers.http.operation import operation
from idp.controllers.http.shapes import Instant, Shape
from idp.domain.operation.statistics import CacheState, SessionCounts, UserCounts
from idp.services.operation.statistics import Overview, Period, Statistics


class UserNumbers(Shape):
    total: int
    active: int
    disabled: int
    administrators: int
    created_last_24h: int = Field(serialization_alias="createdLast24h")

    @classmethod
    def of(cls, counts: UserCounts) -> UserNumbers:
        return cls(
            total=counts.total,
            active=counts.active,
            disabled=counts.disabled,
            administrators=counts.administrators,
            created_last_24h=counts.created_last_24h,
        )


class SessionNumbers(Shape):
    active: int
    created_last_24h: int = Field(serialization_alias="createdLast24h")

    @classmethod
    def of(cls, counts: SessionCounts) -> SessionNumbers:
        return cls(active=counts.active, created_last_24h=counts.created_last_24h)


class EventNumbers(Shape):
    """Of the hour or the day that begins at *begin*, in UTC."""

    begin: Instant
    logins: int
    failures: int
    refreshes: int
    reuse: int
    locks: int

    @classmethod
    def of(cls, period: Period) -> EventNumbers:
        return cls(begin=period.begin, **period.counts)


class EventsOverTime(Shape):
    hourly: list[EventNumbers]
    daily: list[EventNumbers]


class Pool(Shape):
    """Connections of the process that answers."""

    size: int = 0
    idle: int = 0
    max: int = 0


class DatabaseNumbers(Shape):
    status: Literal["ok"] = "ok"
    latency_ms: float
    version: str
    pool: Pool


class CacheNumbers(Shape):
    """Null are those that a store which does not answer leaves unknown. *used_memory* in bytes."""

    status: Literal["ok", "unavailable"]
    latency_ms: float | None = None
    version: str | None = None
    hits: int | None = None
    misses: int | None = None
    used_memory: int | None = None

    @classmethod
    def of(cls, state: CacheState | None, latency: float) -> CacheNumbers:
        if state is None:
            return cls(status="unavailable")
        return cls(
            status="ok",
            latency_ms=latency,
            version=state.version,
            hits=state.hits,
            misses=state.misses,
            used_memory=state.used_memory,
        )


class StatisticsAnswer(Shape):
    generated_at: Instant
    users: UserNumbers
    sessions: SessionNumbers
    events: EventsOverTime
    database: DatabaseNumbers
    cache: CacheNumbers

    @classmethod
    def of(cls, overview: Overview) -> StatisticsAnswer:
        return cls(
            generated_at=overview.generated_at,
            users=UserNumbers.of(overview.users),
            sessions=SessionNumbers.of(overview.sessions),
            events=EventsOverTime(
                hourly=[EventNumbers.of(period) for period in overview.hourly],
                daily=[EventNumbers.of(period) for period in overview.daily],
            ),
            database=DatabaseNumbers(
                latency_ms=overview.database_latency,
                version=overview.database.version,
                pool=Pool(**overview.database.pool),
            ),
            cache=CacheNumbers.of(overview.cache, overview.cache_latency),
        )


def statistics_routes(statistics: Statistics, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_statistics", __name__)

    @routes.get("/admin/stats")
    @guard.admin
    @operation("Statistics, at most five seconds old", gives=StatisticsAnswer)
    async def read() -> StatisticsAnswer:
        return StatisticsAnswer.of(await statistics.overview())

    return routes
