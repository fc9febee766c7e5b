"""Limits on how often somebody may call, for every door alike. That on refreshes is decided together with the rotation."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.errors import RateLimited
from idp.domain.limits import Category, Limits, taken


@dataclass(frozen=True, slots=True)
class RateLimiter:
    limits: Limits

    async def take(self, category: Category, subject: str, size: int = 0) -> None:
        """
        Counts this call of *subject*: an address, or an id of a user or a client. *size*: bytes that it makes the stores keep.

        Raises `RateLimited` when it is one too many. The answer tells of the last decision made for its request.
        """
        decision = await self.limits.take(category, subject, size)
        if decision is None:
            return
        taken.get().decision = decision
        if not decision.allowed:
            raise RateLimited(decision.retry_after, reason=f"limit of {category}")
