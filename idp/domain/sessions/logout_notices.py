"""
Telling clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).

A notice is queued in the transaction that ends the session, so none is lost and none is made up, and it is gone once the
client has been told. What is sent is made when it is sent: a logout token lives for two minutes, a notice may wait for an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

# A client that does not answer is told again after 5 s, 10 s, 20 s …, ten times in all, within an hour.
FIRST_RETRY = timedelta(seconds=5)
MOST_ATTEMPTS = 10
GIVEN_UP_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutNotice:
    """*attempts* counts this one."""

    id: UUID
    client_id: str
    user_id: UUID
    session_id: UUID
    created_at: datetime
    attempts: int

    def retry_in(self) -> timedelta:
        return FIRST_RETRY * (1 << min(self.attempts - 1, MOST_ATTEMPTS))

    def given_up(self, now: datetime) -> bool:
        return self.attempts >= MOST_ATTEMPTS or now - self.created_at >= GIVEN_UP_AFTER


class LogoutNotices(Protocol):
    """The queue as who empties it sees it; the stores that end sessions fill it."""

    async def claim(self, most: int, lease: timedelta, *, beside: Sequence[str]) -> list[LogoutNotice]:
        """
        Of those that are due up to *most*, at most one of each client, none of the clients *beside*; those that wait longest
        first. No other call is given them before *lease* has passed.
        """

    async def told(self, notice: LogoutNotice) -> None:
        """Or nobody is to be told any more: it is deleted."""

    async def postpone(self, notice: LogoutNotice, span: timedelta) -> None: ...

    async def drop(self, notice: LogoutNotice, reason: str) -> None:
        """Given up: deleted, with an event."""
