"""
`/health` and what is below it: 200 or 503 with `{status, checks…}`.

    /health  /health/live   this process answers; no store is asked, so an outage of one restarts nobody
    /health/ready           every store answers and no migration is missing: send requests here
    /health/detailed        each check with its latency
    /health/database  /health/cache
"""

from __future__ import annotations

from typing import Any

from quart import Blueprint

from idp.controllers import access
from idp.services.health import Health, Report


def health_routes(health: Health) -> Blueprint:
    routes = Blueprint("health", __name__)

    @routes.get("/health")
    @routes.get("/health/live")
    @access.public
    async def live() -> tuple[Any, int]:
        return {"status": "ok", "checks": {}}, 200

    @routes.get("/health/ready")
    @access.public
    async def ready() -> tuple[Any, int, dict[str, str]]:
        report = await health.report()
        return _answer(
            Report(report.healthy, {name: {"status": check["status"]} for name, check in report.checks.items()})
        )

    @routes.get("/health/detailed")
    @access.public
    async def detailed() -> tuple[Any, int, dict[str, str]]:
        return _answer(await health.report())

    @routes.get("/health/database")
    @access.public
    async def database() -> tuple[Any, int, dict[str, str]]:
        return _answer(await health.report("database"))

    @routes.get("/health/cache")
    @access.public
    async def cache() -> tuple[Any, int, dict[str, str]]:
        return _answer(await health.report("cache"))

    return routes


def _answer(report: Report) -> tuple[Any, int, dict[str, str]]:
    if report.healthy:
        return {"status": "ok", "checks": report.checks}, 200, {}
    return {"status": "unavailable", "checks": report.checks}, 503, {"Retry-After": "1"}
