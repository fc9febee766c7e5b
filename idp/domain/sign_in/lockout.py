"""
Guessing passwords, made slow: what counts as a failure, and how long nobody may try after it.

Failures are counted for each identifier, whether or not an account has it, at every door alike. The last failures before
the lock are each followed by a delay that doubles; the last one locks. While a delay or a lock lasts, no password is
looked at, not even the right one, and what comes is not counted. Once a lock has run out, counting starts anew, and a
failure older than a lock is long counts no longer.

A lock would let anybody keep the owner out, so who has signed in from a device before has a counter for that device: its
failures never lock the identifier, and those of others never lock the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from idp.domain.accounts.users import User
from idp.domain.audit.events import SignInFailed

# So many of the last failures before the lock are followed by a delay: 1, 2, 4, 8 seconds.
DELAYED = 4
FIRST_DELAY = timedelta(seconds=1)
# A check of a password that takes longer than this was that of a process which died meanwhile.
LONGEST_CHECK = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """The *attempts*-th failure locks for *duration*, which is also how long a failure is remembered."""

    attempts: int
    duration: timedelta

    def locks(self, failures: int) -> bool:
        return failures >= self.attempts

    def blocked_after(self, failures: int) -> timedelta:
        """How long nothing is evaluated after so many failures in a row."""
        if self.locks(failures):
            return self.duration
        doublings = failures - max(1, self.attempts - DELAYED)
        return min(FIRST_DELAY * 2**doublings, self.duration) if doublings >= 0 else timedelta(0)


@dataclass(frozen=True, slots=True)
class Counter:
    """
    Whose failures count together: those for *address* in any spelling; with *device*, those of that device of *user_id*.

    *user_id* is None for an address that no account has.
    """

    address: str
    user_id: UUID | None = None
    device: bytes | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """
    Whether a password may be looked at now. If not, *blocked_for* says how long nobody may try; None: others who are
    being looked at might use up what is left, and it is worth asking again in a moment.
    """

    taken: bool
    blocked_for: timedelta | None = None


class SignInFailures(Protocol):
    """
    Durable, and shared by all processes: of any number of attempts at once never more are evaluated than are left.

    Whoever takes a place settles it with one of `failed`, `succeeded` and `give_back`. A place that nobody settles is free
    again after `LONGEST_CHECK`.
    """

    async def take_place(self, counter: Counter) -> Place: ...

    async def failed(self, counter: Counter, event: SignInFailed) -> bool:
        """Counts, blocks as the policy says, and writes *event*; True if this failure locked: an event and a mail too."""

    async def succeeded(self, counter: Counter) -> None:
        """Forgets every failure of this counter, and of no other."""

    async def give_back(self, counter: Counter) -> None:
        """The password was not looked at after all."""

    async def clear(self, user: User) -> bool:
        """
        Forgets every failure for the user's address and devices; True if that ended a lock: an event and a mail. What an
        administrator makes forgotten is an event without one, too.
        """

    async def purge(self, most: int) -> int:
        """Deletes up to *most* counters that matter no more; how many were deleted."""
