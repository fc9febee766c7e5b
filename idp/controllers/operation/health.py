"""
`/health` and what is below it: 200 or 503 with `{status, checks…}`.

    /health  /health/live   this process answers; no store is asked, so an outage of one restarts nobody
    /health/ready           every store answers and no migration is missing: send requests here. "draining" from SIGTERM on
    /health/detailed        each check with its latency, and the release that this process runs
    /health/database  /health/cache
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict
from quart import Blueprint, Response

from idp.controllers.http import access
from idp.controllers.http.operation import operation
from idp.services.operation.health import Health, Report, Status

RETRY_SECONDS = "1"

View = Callable[..., Awaitable[Response]]


class Check(BaseModel):
    """With more facts of the store, none of which names a host or a user."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded", "unavailable"]


class HealthAnswer(BaseModel):
    status: Status
    checks: dict[str, Check]


class DetailedAnswer(HealthAnswer):
    """*release* is IDP_RELEASE: what a roll-out waits for."""

    release: str


def health_routes(health: Health) -> Blueprint:
    routes = Blueprint("health", __name__)

    def checked(summary: str, gives: type[HealthAnswer] = HealthAnswer) -> Callable[[View], View]:
        """What declares every one of these."""
        declared = operation(summary, gives=gives, also={503: gives})
        return lambda view: access.public(declared(view))

    @routes.get("/health")
    @routes.get("/health/live")
    @checked("Whether the process answers")
    async def live() -> Response:
        return _answer(Report("ok", {}))

    @routes.get("/health/ready")
    @checked("Whether requests can be served")
    async def ready() -> Response:
        return _answer(await health.readiness())

    @routes.get("/health/detailed")
    @checked("Every check with its latency", DetailedAnswer)
    async def detailed() -> Response:
        return _answer(await health.report(), release=health.release)

    @routes.get("/health/database")
    @checked("Whether Postgres answers")
    async def database() -> Response:
        return _answer(await health.report("database"))

    @routes.get("/health/cache")
    @checked("Whether Redis answers")
    async def cache() -> Response:
        return _answer(await health.report("cache"))

    return routes


def _answer(report: Report, **more: str) -> Response:
    shape = DetailedAnswer if more else HealthAnswer
    body = shape.model_validate({"status": report.status, "checks": report.checks, **more}).model_dump_json()
    headers = {} if report.healthy else {"Retry-After": RETRY_SECONDS}
    return Response(body, 200 if report.healthy else 503, content_type="application/json", headers=headers)
