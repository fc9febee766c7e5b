"""Asking everything that this process needs, at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.health import Probe

log = structlog.get_logger("idp.health")


Status = Literal["ok", "unavailable", "draining"]


@dataclass(frozen=True, slots=True)
class Report:
    status: Status
    checks: dict[str, dict[str, object]]

    @property
    def healthy(self) -> bool:
        return self.status == "ok"


@dataclass(slots=True)
class Health:
    """*release* is what this process runs. *draining*: it has been asked to stop, and still serves what comes."""

    probes: Sequence[Probe]
    release: str
    draining: bool = False

    def drain(self) -> None:
        self.draining = True

    async def readiness(self) -> Report:
        """Whether to send requests here: each check without its facts, and none while this process drains."""
        if self.draining:
            return Report("draining", {})
        report = await self.report()
        return Report(report.status, {name: {"status": check["status"]} for name, check in report.checks.items()})

    async def report(self, *names: str) -> Report:
        """Of the named probes, or of all. Never raises: what does not answer is "unavailable"."""
        asked = [probe for probe in self.probes if not names or probe.name in names]
        results = await asyncio.gather(*map(_checked, asked))
        checks = {probe.name: result for probe, result in zip(asked, results, strict=True)}
        unavailable = any(check["status"] == "unavailable" for check in results)
        return Report("unavailable" if unavailable else "ok", checks)


async def _checked(probe: Probe) -> dict[str, object]:
    started = time.perf_counter()
    try:
        facts = await probe.check()
    except StoreUnavailable as fault:
        log.warning("probe_failed", probe=probe.name, reason=str(fault))
        return {"status": "unavailable"}
    return {"status": "ok", "latencyMs": round((time.perf_counter() - started) * 1000, 2), **facts}
