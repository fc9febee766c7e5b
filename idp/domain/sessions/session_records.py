"""Sessions of everybody, as administrators see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """*email* is the user's present address."""

    session: Session
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """None does not narrow."""

    user_id: UUID | None = None
    client_id: str | None = None


class SessionRecords(Protocol):
    async def page(self, wanted: SessionFilter, limit: int, after: Place | None = None) -> Page[SessionRecord]:
        """Live ones, newest first."""
