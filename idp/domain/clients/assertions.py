"""Assertions by which clients prove themselves (RFC 7523, section 2.2): used once."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class UsedAssertions(Protocol):
    async def spend(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        """
        Whether this is the first use, in one step that no other call can enter. Kept until *expires_at*, and a little longer.

        Raises `StoreUnavailable` when that is unknown.
        """
