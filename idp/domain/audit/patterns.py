"""
What many events show that each alone does not: the whole policy in one table.

    many accounts from one address   failed sign-ins for so many different identifiers: one password tried across accounts
    many addresses for one account   failed sign-ins from so many addresses for one identifier: a distributed attack
    refusals of one user             so many attempts at what needs a role

Each is told once for whom it concerns and window. A refresh token that was used twice is an event of its own already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    window: timedelta
    identifiers: int
    addresses: int
    refusals: int


SUSPICIOUS = Thresholds(window=timedelta(minutes=15), identifiers=10, addresses=10, refusals=3)


class SuspiciousPatterns(Protocol):
    async def record_new(self, thresholds: Thresholds, now: datetime) -> int:
        """Looks at the window that ends *now*, in one process at a time; how many patterns were recorded as events."""
