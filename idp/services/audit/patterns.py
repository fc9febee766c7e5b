"""Looking for suspicious patterns in what the trail has of the last minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from idp.domain.audit.patterns import SUSPICIOUS, SuspiciousPatterns, Thresholds


@dataclass(frozen=True, slots=True)
class PatternWatch:
    patterns: SuspiciousPatterns
    now: Callable[[], datetime]
    thresholds: Thresholds = SUSPICIOUS

    async def look(self) -> None:
        await self.patterns.record_new(self.thresholds, self.now())
