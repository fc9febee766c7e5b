"""What the trail tells of itself."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.audit.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDayClosed(Event):
    """The head of the chain of a day that is over: *digest* in hexadecimal digits, to be kept outside of the database."""

    name = "audit_day_closed"
    day: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPruned(Event):
    """The events of *day* were older than the retention and have been deleted."""

    name = "audit_pruned"
    day: str
    count: int
