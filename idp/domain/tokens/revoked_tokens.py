"""Access tokens that were revoked one by one before they expire (RFC 7009): the session that they are of lives on."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from idp.domain.audit.events import AccessTokenRevoked


class RevokedTokens(Protocol):
    async def add(self, jti: str, expires_at: datetime, event: AccessTokenRevoked) -> bool:
        """
        Durable when this returns. True for the one call that revoked it, whose *event* is written in the same step.

        *expires_at*: when nobody takes the token any more, revoked or not.
        """

    async def holds(self, jti: str) -> bool: ...

    async def purge(self, before: datetime, most: int) -> int:
        """Forgets up to *most* that expired before that instant; how many."""
