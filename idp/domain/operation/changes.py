"""Who changed something lately: to them nothing may be shown that is older than their change."""

from __future__ import annotations

from typing import Protocol


class RecentChanges(Protocol):
    async def note(self, actor: str) -> None:
        """Before *actor* changes anything. Never raises: a change does not fail because of what a list shows after it."""
