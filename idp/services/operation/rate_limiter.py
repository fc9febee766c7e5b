"""Limits on how often somebody may call, for every door alike. That on refreshes is decided together with the rotation."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from idp.domain.errors import EmailNotVerified, RateLimited
from idp.domain.operation.limits import Category, Decision, Limits, LoginCounts, taken

# An address may fail at most so many times as often as one client may.
CLIENT_SLOTS = 16


# Seconds: how long a sign-in waits for the slot of another at most, and how often it asks.
PATIENCE = 3.0
PAUSE = 0.1


@dataclass(slots=True)
class _UnderWay:
    """Sign-ins from one address in this process: how many there are, and how many of them hold a slot."""

    waiting: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class RateLimiter:
    limits: Limits
    login_counts: LoginCounts = LoginCounts.ATTEMPTS
    _under_way: dict[str, _UnderWay] = field(default_factory=dict, repr=False)

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

    @asynccontextmanager
    async def sign_in(self, address: str) -> AsyncIterator[None]:
        """
        Counts a password attempt from *address*, looked at within the block.

        Where only failures count, a slot is taken first and given back for a right password: of any number of guesses at once
        no more are looked at than the limit says. While slots are held by attempts of this process, others wait for one, so
        that a whole office may sign in at the same moment.

        Raises `RateLimited`.
        """
        if self.login_counts is LoginCounts.ATTEMPTS:
            await self.take(Category.LOGIN, address)
            yield
            return
        under_way = self._under_way.setdefault(address, _UnderWay())
        under_way.waiting += 1
        try:
            decision = await self._slot(address, under_way)
            under_way.held += 1
            try:
                yield
            except EmailNotVerified:
                await self._give_back(address, decision)
                raise
            else:
                await self._give_back(address, decision)
            finally:
                under_way.held -= 1
        finally:
            under_way.waiting -= 1
            if under_way.waiting == 0:
                self._under_way.pop(address, None)

    async def _slot(self, address: str, under_way: _UnderWay) -> Decision | None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE
        while True:
            try:
                await self.take(Category.LOGIN, address)
            except RateLimited:
                # Nobody who fails frees a slot: guesses wait only as long as others are being looked at.
                if under_way.held == 0 or clock() > deadline:
                    raise
                await asyncio.sleep(PAUSE)
            else:
                return taken.get().decision

    async def _give_back(self, address: str, decision: Decision | None) -> None:
        if decision is not None:
            await asyncio.shield(self.limits.release(Category.LOGIN, address, decision))
            taken.get().decision = replace(decision, remaining=decision.remaining + 1)

    async def take_failed_client(self, address: str, claimed_client_id: str) -> None:
        """
        Counts a failed authentication of that client from *address*, after the fact: a client that can authenticate is never
        refused for what others do from its address, and no probe of a client uses up the sign-ins of users.

        Raises `RateLimited`. Names of clients fall into a few slots, so that inventing names gains little.
        """
        slot = hashlib.sha256(claimed_client_id.encode("utf-8", "surrogatepass")).digest()[0] % CLIENT_SLOTS
        await self.take(Category.CLIENT_PROOF, f"{address} {slot}")
