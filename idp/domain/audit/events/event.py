"""What an event is, where it came from, and who keeps it."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the call that caused an event came from. *actor* is who did it when that is not the user concerned."""

    address: str | None = None
    request_id: str | None = None
    actor: str | None = None
    user_agent: str | None = None


# Set by the edge for a request and by the command line for a command; a background task has none.
origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("origin", default=Origin())  # noqa: B039 - frozen


# Field → its values before and after, None for a side that there is not. Of secrets it says only `HIDDEN`.
Value = str | int | bool | Sequence[str] | None
Changes = Mapping[str, Sequence[Value]]
Detail = str | int | bool | Changes | None
HIDDEN = "(hidden)"


def changes_between(before: Mapping[str, Value], after: Mapping[str, Value]) -> Changes:
    """What differs. A field that one side lacks is None there."""
    pairs = {name: (before.get(name), after.get(name)) for name in (*before, *after)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: ClassVar[str]
    severity: ClassVar[str] = "info"
    user_id: UUID | None = None
    client_id: str | None = None
    session_id: UUID | None = None

    @property
    def detail(self) -> dict[str, Detail]:
        """What this kind of event has beyond whom it concerns."""
        common = ("user_id", "client_id", "session_id")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in common}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Event):
    """*count* times from one place within a short span: each alone would cost more than it tells."""

    count: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that is written later than it happened, so it says itself when and where that was."""

    event: Event
    at: datetime
    origin: Origin


class Events(Protocol):
    async def record(self, event: Event) -> None:
        """Written to the trail and to the log. For events that tell of no change; the others are written by their store."""

    async def record_all(self, occurrences: Sequence[Occurrence]) -> None:
        """The same in one step for many, all or none of them."""
