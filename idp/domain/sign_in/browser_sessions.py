"""
Sign-ins on the hosted page, as the browser's cookie stands for them.

One browser session is one user in one browser. The sessions of clients hang on it: it answers their authorization requests,
and when it ends they end with it. Postgres has the record; Redis has the clock that tells when it was last used, so that a
page view writes no row. Without that clock, as after a loss of Redis, the record's own decides, which is a minute coarser.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from idp.domain.accounts.users import User
from idp.domain.sessions.sessions import Session

PASSWORD_AMR = ("pwd",)  # RFC 8176


class EndedReason(StrEnum):
    SIGNED_OUT = "signed_out"
    ANOTHER_USER = "another_user"
    ENDED_BY_USER = "ended_by_user"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """*auth_time*: when the user last proved who it is here, by *amr*. *remembered*: it outlives the browser's window."""

    id: UUID
    user_id: UUID
    auth_time: datetime
    auth_epoch: int
    amr: tuple[str, ...]
    remembered: bool
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """A live browser session with the present state of its user."""

    session: BrowserSession
    user: User


def new_token() -> str:
    """256 random bits in base64url: what the cookie holds. Kept nowhere but in the browser."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class BrowserSessions(Protocol):
    """*digest* is that of the cookie's token."""

    async def start(self, session: BrowserSession, digest: str) -> bool:
        """False when the user has been disabled or signed out everywhere since *auth_epoch* was read."""

    async def find(self, digest: str, idle: timedelta) -> Visitor | None:
        """
        None for one that has ended, expired or lain unused for longer than *idle* (a remembered one may lie for as long as
        it lives), and when its user was disabled or signed out everywhere. Counts as a use.
        """

    async def renew(self, session: BrowserSession, digest: str) -> bool:
        """
        The user of *session* has proved it again: it gets that token, `auth_time`, `amr` and end, and the old token is dead.

        False when it has ended meanwhile.
        """

    async def end(self, session_id: UUID, reason: EndedReason, *, clients: bool = True) -> Sequence[Session]:
        """
        Durable when this returns. The sessions of clients that ended with it: all that hang on it, or with *clients* False
        none. Empty, too, for one that had ended already.
        """

    async def list_of(self, user_id: UUID) -> list[BrowserSession]:
        """Live ones, newest first."""

    async def purge(self, before: datetime, most: int) -> int:
        """Deletes up to *most* that expired before that instant; how many were deleted."""
