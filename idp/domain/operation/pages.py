"""Long lists, a page at a time: a page is continued after the last row of the one before, however many rows come meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a list that is ordered by age, then by id, newest first. *id* is its text, whatever the column's type."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """*following*: the place after which the list goes on, None at its end."""

    items: Sequence[Item]
    following: Place | None = None

    @classmethod
    def of(cls, found: Sequence[Item], limit: int, place: Callable[[Item], Place]) -> Self:
        """From up to one more than *limit* rows: the one too many tells that there are more."""
        items = found[:limit]
        return cls(items, place(items[-1]) if len(found) > limit else None)
