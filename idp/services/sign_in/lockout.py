"""
Places for attempts: how many passwords for one identifier may be looked at at the same time.

As many as failures are left before the lock, counted over all processes by the store. Within one process the others wait
here in a row, so that many honest sign-ins at once do not all ask the store again and again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from idp.domain.audit.events import SignInFailed
from idp.domain.errors import PasswordsBusy, StoreUnavailable, TooManyAttempts
from idp.domain.sign_in.lockout import Counter, SignInFailures

log = structlog.get_logger("idp.lockout")

# Seconds. As long as a password waits for bcrypt at most.
PATIENCE = 3.0
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
# So long those who wait in a row believe what the store has told the one before: that nobody may try. Of a flood of guesses
# only a few ask it; an unlocking is noticed as soon.
BELIEVED = 0.1


@dataclass(slots=True)
class _Row:
    """*blocked_until* and *believed_until* by the clock of the event loop."""

    places: asyncio.Semaphore
    waiting: int = 0
    blocked_until: float = 0.0
    believed_until: float = 0.0

    def refuse(self, now: float) -> None:
        if now < min(self.blocked_until, self.believed_until):
            raise TooManyAttempts(math.ceil(self.blocked_until - now), reason="blocked")


@dataclass(slots=True)
class Attempt:
    """
    *settled* unless the password was not looked at after all.

    Once it was, a caller who goes away changes nothing: neither a failure nor the place is lost with the request.
    """

    counter: Counter
    failures: SignInFailures
    settled: bool = field(default=False)

    async def failed(self, event: SignInFailed) -> None:
        self.settled = True
        await asyncio.shield(self.failures.failed(self.counter, event))

    async def succeeded(self) -> None:
        self.settled = True
        await asyncio.shield(self.failures.succeeded(self.counter))


class Lockout:
    """*attempts*: how many failures lock."""

    def __init__(self, failures: SignInFailures, attempts: int) -> None:
        self._failures = failures
        self._attempts = attempts
        self._rows: dict[Counter, _Row] = {}

    @asynccontextmanager
    async def attempt(self, counter: Counter) -> AsyncIterator[Attempt]:
        """
        A place for one attempt until the end of the block, to be settled within it.

        Raises `TooManyAttempts` while nothing is looked at, `PasswordsBusy` when the attempts of others take too long.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE
        async with self._in_row(counter, deadline) as row:
            await self._take_place(counter, row, deadline)
            attempt = Attempt(counter, self._failures)
            try:
                yield attempt
            finally:
                if not attempt.settled:
                    await self._give_back(counter)

    @asynccontextmanager
    async def _in_row(self, counter: Counter, deadline: float) -> AsyncIterator[_Row]:
        row = self._rows.setdefault(counter, _Row(asyncio.Semaphore(self._attempts)))
        row.waiting += 1
        try:
            try:
                async with asyncio.timeout_at(deadline):
                    await row.places.acquire()
            except TimeoutError:
                raise _busy() from None
            try:
                yield row
            finally:
                row.places.release()
        finally:
            row.waiting -= 1
            if row.waiting == 0:
                del self._rows[counter]

    async def _take_place(self, counter: Counter, row: _Row, deadline: float) -> None:
        pause, clock = FIRST_PAUSE, asyncio.get_running_loop().time
        row.refuse(clock())
        while not (place := await self._failures.take_place(counter)).taken:
            if place.blocked_for is not None:
                row.blocked_until = clock() + place.blocked_for.total_seconds()
                row.believed_until = clock() + BELIEVED
                raise TooManyAttempts(math.ceil(place.blocked_for.total_seconds()), reason="blocked")
            if clock() > deadline:
                raise _busy()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _give_back(self, counter: Counter) -> None:
        try:
            await self._failures.give_back(counter)
        except StoreUnavailable as fault:
            log.warning("place_not_given_back", reason=str(fault))  # it is free again by itself after a while


def _busy() -> PasswordsBusy:
    return PasswordsBusy(reason="others are signing in with the same address")
