"""Asking everything that this process needs, at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from idp.domain.errors import StoreUnavailable
from idp.domain.health import Probe

log = structlog.get_logger("idp.health")


@dataclass(frozen=True, slots=True)
class Report:
    healthy: bool
    checks: dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Health:
    probes: Sequence[Probe]

    async def report(self, *names: str) -> Report:
        """Of the named probes, or of all. Never raises: what does not answer is "unavailable"."""
        asked = [probe for probe in self.probes if not names or probe.name in names]
        results = await asyncio.gather(*map(_checked, asked))
        checks = {probe.name: result for probe, result in zip(asked, results, strict=True)}
        return Report(all(check["status"] != "unavailable" for check in results), checks)


async def _checked(probe: Probe) -> dict[str, object]:
    started = time.perf_counter()
    try:
        facts = await probe.check()
    except StoreUnavailable as fault:
        log.warning("probe_failed", probe=probe.name, reason=str(fault))
        return {"status": "unavailable"}
    return {"status": "ok", "latencyMs": round((time.perf_counter() - started) * 1000, 2), **facts}
