"""Limits on how often somebody may call, for every door alike. That on refreshes is decided together with the rotation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from idp.domain.errors import RateLimited
from idp.domain.limits import Category, Limits, taken

# An address may fail at most so many times as often as one client may.
CLIENT_SLOTS = 16


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

    async def take_failed_client(self, address: str, claimed_client_id: str) -> None:
        """
        Counts a failed authentication of that client from *address*, after the fact: a client that can authenticate is never
        refused for what others do from its address, and no probe of a client uses up the sign-ins of users.

        Raises `RateLimited`. Names of clients fall into a few slots, so that inventing names gains little.
        """
        slot = hashlib.sha256(claimed_client_id.encode("utf-8", "surrogatepass")).digest()[0] % CLIENT_SLOTS
        await self.take(Category.CLIENT_PROOF, f"{address} {slot}")
