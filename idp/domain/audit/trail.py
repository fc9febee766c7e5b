"""
The audit trail as it is kept: found again, and chained so that a change of the past shows.

The events of a UTC day form a chain, made by the database itself when a row is inserted:

    start of a day   SHA-256("2026-11-24")
    row n            SHA-256(digest of row n-1, canonical text of row n)
    head of a day    the number and the digest of its last row

When a day is over its head becomes an event of a later day, so a day that is missing as a whole is missed too. Who can
change rows, heads and later days alike is found out only by a digest that was kept elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from idp.domain.operation.pages import Page, Place


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """*actor* is who did it when that is not the user concerned. *detail* depends on the event's name."""

    id: UUID
    at: datetime
    name: str
    severity: str
    user_id: UUID | None
    client_id: str | None
    session_id: UUID | None
    actor: str | None
    address: str | None
    request_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """
    What is None does not matter. *names*: any of them. *since* is the first instant that counts, *until* the first that no
    longer does.
    """

    name: str | None = None
    names: Sequence[str] | None = None
    severity: Severity | None = None
    user_id: UUID | None = None
    client_id: str | None = None
    actor: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Head:
    day: date
    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One row of a chain. *text* is what its digest covers, beside the digest before."""

    seq: int
    digest: bytes
    text: str


class Fault(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    MISSING_END = "missing end"
    EXTRA_ROWS = "rows after the head"
    NO_HEAD = "rows without a head"
    NO_DAY = "missing day"
    OTHER_DIGEST = "other digest than was kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedDay:
    """*events* that hold together and the *digest* of the last; *fault* is what broke first, at place *seq* if it is one row."""

    day: date
    events: int
    digest: bytes
    fault: Fault | None = None
    seq: int | None = None


@dataclass(slots=True)
class Walk:
    """Along the chain of a day, row by row, until something is broken."""

    day: date
    digest: bytes
    expected: set[bytes]
    seq: int = 0
    fault: Fault | None = None
    broken_at: int | None = None

    @classmethod
    def from_start(cls, day: date, expected: Iterable[bytes | None] = ()) -> Walk:
        """*expected*: digests that must be met on the way."""
        return cls(day, hashlib.sha256(day.isoformat().encode()).digest(), {one for one in expected if one})

    def follow(self, link: Link) -> None:
        if self.fault is not None:
            return
        if link.seq != self.seq + 1:
            self.broken(Fault.MISSING, self.seq + 1)
        elif hashlib.sha256(self.digest + link.text.encode()).digest() != link.digest:
            self.broken(Fault.CHANGED, link.seq)
        else:
            self.seq, self.digest = link.seq, link.digest
            self.expected.discard(link.digest)

    def finish(self, head: Head) -> None:
        if self.seq < head.seq:
            self.broken(Fault.MISSING_END, self.seq + 1)
        elif self.digest != head.digest:
            self.broken(Fault.CHANGED, head.seq)

    def broken(self, fault: Fault, seq: int | None = None) -> None:
        """Only the first fault is kept: all that comes after it may be its consequence."""
        if self.fault is None:
            self.fault, self.broken_at = fault, seq

    @property
    def examined(self) -> ExaminedDay:
        return ExaminedDay(day=self.day, events=self.seq, digest=self.digest, fault=self.fault, seq=self.broken_at)


@dataclass(frozen=True, slots=True)
class Closing:
    """What a later event tells of a day that was over; *pruned*: that it was deleted for its age."""

    digest: bytes | None
    pruned: bool = False


class AuditTrail(Protocol):
    async def page(self, wanted: EventFilter, limit: int, after: Place | None) -> Page[RecordedEvent]:
        """Newest first."""

    def every(self, wanted: EventFilter) -> AsyncIterator[RecordedEvent]:
        """Newest first, read little by little; no connection is held while the caller does something else."""

    async def days(self) -> Sequence[date]:
        """All that have events or a head, the oldest first."""

    async def head(self, day: date) -> Head | None: ...

    def links(self, day: date, upto: int) -> AsyncIterator[Link]: ...

    async def last_place(self, day: date) -> int:
        """Of any row of the day; 0 without one."""

    async def closings(self) -> Mapping[date, Closing]:
        """What the trail itself tells of days that are over."""

    async def close_days(self) -> int:
        """Records the head of each day that is over, once over all processes; how many."""

    async def prune(self) -> int:
        """Deletes the days that are older than the owner's policy says and records it; how many events went."""

    async def retention(self) -> timedelta | None:
        """The owner's policy; None where nobody has set one, and then nothing is pruned."""
