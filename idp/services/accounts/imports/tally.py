"""What became of some entries of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from idp.domain.accounts.user_imports import Entry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    entry: Entry
    reason: str


@dataclass(slots=True)
class Tally:
    """*known*: was there already. *ignored*: nothing to take over, such as accounts of services."""

    read: int = 0
    created: int = 0
    known: int = 0
    ignored: int = 0
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, entry: Entry, reason: str) -> None:
        self.refused.append(Refused(entry, reason))

    def readable(self, entries: Sequence[Entry], read: Callable[[object], T | None]) -> list[tuple[Entry, T]]:
        """Those that *read*, which raises `ValueError`, can make something of; the others are counted."""
        self.read += len(entries)
        good: list[tuple[Entry, T]] = []
        for entry in entries:
            try:
                found = read(entry.value) if entry.fault is None else None
            except ValueError as fault:
                self.refuse(entry, str(fault))
                continue
            if entry.fault is not None:
                self.refuse(entry, entry.fault)
            elif found is None:
                self.ignored += 1
            else:
                good.append((entry, found))
        return good

    def add(self, other: Tally) -> None:
        self.read += other.read
        self.created += other.created
        self.known += other.known
        self.ignored += other.ignored
        self.refused += other.refused

    def sorted(self) -> Tally:
        self.refused.sort(key=lambda refused: refused.entry.number)
        return self
