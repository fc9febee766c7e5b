"""Health: what this process needs, and whether it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Probe(Protocol):
    """*name* is what the outside calls it; neither host nor user of a store is ever told."""

    @property
    def name(self) -> str: ...

    async def check(self) -> Mapping[str, object]:
        """
        Facts worth showing, among them a `status` "degraded" for what can be done without.

        Raises `StoreUnavailable` when it does not answer, or cannot serve as it is.
        """
