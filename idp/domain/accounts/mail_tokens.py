"""
Tokens sent by mail: who presents one reads that mailbox.

Random, for one use, for a short time; only the SHA-256 is kept, which says nothing about 256 random bits. A new one of a
purpose ends the older ones of that user.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from idp.domain.accounts.users import User
from idp.domain.audit.events import Event

_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


class Purpose(StrEnum):
    RESET = "reset"
    VERIFY = "verify"
    CHANGE = "change"
    INVITATION = "invitation"


LIFETIMES: Mapping[Purpose, timedelta] = {
    Purpose.RESET: timedelta(minutes=30),
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.CHANGE: timedelta(hours=24),
    Purpose.INVITATION: timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class MailToken:
    """*digest* is what is stored; the text goes into the mail and is kept nowhere."""

    text: str
    digest: str

    @classmethod
    def new(cls) -> MailToken:
        text = secrets.token_urlsafe(32)
        return cls(text, _digest(text))


def digest_of(presented: str) -> str | None:
    """None for what cannot be a token, so that no store is asked."""
    return _digest(presented) if _FORM.fullmatch(presented) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class MailTokens(Protocol):
    async def mint(self, purpose: Purpose, user: User, address: str, event: Event | None = None) -> MailToken | None:
        """
        A new token for *address*; older ones of that user and purpose are void from now on.

        None when *user* was disabled, signed out everywhere or given another address since it was read.
        """

    async def holder(self, digest: str, *purposes: Purpose) -> User | None:
        """Whose live token that is. Reads only: nothing is spent."""

    async def purge(self, most: int) -> int:
        """Deletes up to *most* that have expired; how many were deleted."""
