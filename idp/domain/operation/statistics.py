"""What an administrator sees at a glance: how many there are, what happened lately, how the stores are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# What is counted over time → the name of its events.
COUNTED: Mapping[str, str] = {
    "logins": "signed_in",
    "failures": "sign_in_failed",
    "refreshes": "tokens_refreshed",
    "reuse": "refresh_token_reused",
    "locks": "account_locked",
}
# One of these tells of several: its member `count`.
SUMMED = frozenset({"tokens_refreshed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCounts:
    total: int
    disabled: int
    administrators: int
    created_last_24h: int

    @property
    def active(self) -> int:
        return self.total - self.disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCounts:
    active: int
    created_last_24h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """*pool* is that of this process: `size`, `idle` and `max` connections."""

    version: str
    pool: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheState:
    """*hits* and *misses* of keys, since the store has started; *used_memory* in bytes."""

    version: str
    hits: int
    misses: int
    used_memory: int


class StatisticsSource(Protocol):
    async def users(self) -> UserCounts: ...

    async def sessions(self) -> SessionCounts: ...

    async def tally(self, since: datetime, until: datetime) -> Mapping[str, int]:
        """What `COUNTED` names → how many, from *since* on and before *until*."""

    async def database(self) -> DatabaseState: ...

    async def cache(self) -> CacheState:
        """Raises `StoreUnavailable`, as all of these do."""
