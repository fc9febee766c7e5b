"""
Mails: what the server writes to people.

What is queued is the intent: a kind, a recipient, whom it concerns. What a mail says is made when it is sent, so no link
and no token ever lies in the queue, and a mail that waited does not say what has stopped being true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class MailKind(StrEnum):
    """The names of the templates, too."""

    VERIFY_ADDRESS = "verify_address"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a kind of mail
    ADDRESS_KNOWN = "address_known"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    ADDRESS_CHANGED = "address_changed"
    CONFIRM_ADDRESS = "confirm_address"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"
    INVITATION = "invitation"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105
    ACCOUNT_DELETED = "account_deleted"


# What a stranger can have sent to an address: at most so many of a kind an hour, the rest is left out in silence.
MOST_AN_HOUR = 3
CAPPED = frozenset(
    {
        MailKind.VERIFY_ADDRESS,
        MailKind.RESET_PASSWORD,
        MailKind.ADDRESS_KNOWN,
        MailKind.CONFIRM_ADDRESS,
        MailKind.ACCOUNT_LOCKED,
        MailKind.ACCOUNT_UNLOCKED,
    }
)

# A mail is tried again after 10 s, 20 s, 40 s … 1 h, and given up three days after it was queued.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMail:
    """*attempts* counts this one. *params*: `address` and `request_id` of the call that caused it, and what its kind needs."""

    id: UUID
    kind: MailKind
    recipient: str
    user_id: UUID | None
    created_at: datetime
    attempts: int
    params: Mapping[str, str] = field(default_factory=dict)

    def retry_in(self) -> timedelta:
        # Beyond 16 doublings the longest holds anyway, and the product would overflow.
        return min(FIRST_RETRY * (1 << min(self.attempts - 1, 16)), LONGEST_RETRY)

    def given_up(self, now: datetime) -> bool:
        return now - self.created_at >= GIVEN_UP_AFTER


class MailQueue(Protocol):
    """What a use case needs. A change writes its mail in its own transaction: its store does that."""

    async def enqueue(self, kind: MailKind, recipient: str, user_id: UUID | None = None, **params: str) -> None:
        """
        To be sent soon by some process, whether or not a mail server answers now.

        Beyond the cap of its kind nothing is queued, and the caller is not told.
        """


class Mails(MailQueue, Protocol):
    """The queue as who empties it sees it."""

    async def claim(self, most: int, lease: timedelta) -> list[QueuedMail]:
        """Those that are due, oldest first. No other call is given them before *lease* has passed."""

    async def sent(self, mail: QueuedMail) -> None: ...

    async def postpone(self, mail: QueuedMail, span: timedelta) -> None: ...

    async def drop(self, mail: QueuedMail, reason: str) -> None:
        """Given up, with an event. *reason* names no address."""

    async def forget(self, mail: QueuedMail) -> None:
        """Dropped without an event: it turned out that nobody is to be told."""

    async def arrival(self, within: timedelta) -> None:
        """Returns when this process has queued one, or after that time."""

    async def purge(self, before: datetime, most: int) -> int:
        """Deletes up to *most* that were sent or dropped before that instant; how many were deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail in words. *link* is the one to follow, if there is one; *id* is that of the mail it was made for."""

    id: UUID
    recipient: str
    subject: str
    text: str
    html: str
    link: str | None = None


class Letters(Protocol):
    def write(self, mail: QueuedMail, recipient: str, **known: object) -> Letter:
        """By the template of its kind. *known*: what the template may say; `link` among it."""


class MailNotSent(Exception):
    """*refused*: the other server said that it never will take it. The text holds no address and no credentials."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Mailer(Protocol):
    async def send(self, letter: Letter) -> None:
        """Returns when the letter is in other hands. Raises `MailNotSent`."""
