"""
Authorization codes (RFC 6749, section 4.1): 256 random bits, kept as a digest for a minute, redeemed once.

A code that was redeemed is remembered for an hour with the session that it began: used again, it ends that session, since two
parties hold it (section 4.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

LIFETIME = timedelta(seconds=60)
REMEMBERED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedGrant:
    """
    What a code stands for. *redirect_uri* None: the request named none, so neither does the client when it redeems.
    *consented_at*: since when the consent stands that it rests on; None where none was needed. Withdrawn and given anew it
    is another, on which this code does not rest.
    """

    client_id: str
    redirect_uri: str | None
    code_challenge: str | None
    nonce: str | None
    scope: str
    audience: str | None
    requested_claims: Mapping[str, Any] | None
    user_id: UUID
    auth_epoch: int
    auth_time: datetime
    amr: tuple[str, ...]
    browser_session_id: UUID
    consented_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code that was redeemed before, and the session that began with it."""

    session_id: UUID


class AuthorizationCodes(Protocol):
    async def add(self, digest: str, grant: AuthorizedGrant) -> None: ...

    async def find(self, digest: str) -> AuthorizedGrant | Redeemed | None:
        """For who presents it: of one that is redeemed this is another use, and remembered."""

    async def redeem(self, digest: str, session_id: UUID) -> bool:
        """True for the one call that redeems it, with a *session_id* of its own; whatever its use leads to, there is no other."""

    async def used_again(self, digest: str) -> bool:
        """Whether it was presented after it was redeemed."""
