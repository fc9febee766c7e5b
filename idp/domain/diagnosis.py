"""
What an examination of an installation finds: checks with a verdict, and the facts of the stores that they rest on.

Facts hold no address, no row and no secret, so that all of them may be printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """*finding* says what is, *remedy* what to do about it: one sentence, empty when all is well."""

    name: str
    verdict: Verdict
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a role may do beyond reading and writing rows."""

    superuser: bool
    changes_tables: bool
    rewrites_trail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """*version* is the major one; *clock_ahead* how far the server's clock is before ours."""

    role: str
    version: int
    clock_ahead: timedelta
    missing_steps: Sequence[str]
    rights: Rights


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFacts:
    """
    *version* as the server gives it; *maxmemory_policy* None when it does not tell.

    *alone* is how many of the *masters* have no replica, None where nothing would make a replica take over.
    """

    version: str
    clock_ahead: timedelta
    maxmemory_policy: str | None
    appends: bool
    masters: int = 1
    alone: int | None = None


class Stores(Protocol):
    """Each raises `StoreUnavailable` when the store does not answer."""

    async def database(self) -> DatabaseFacts: ...

    async def migrating_role(self) -> str: ...

    async def cache(self) -> CacheFacts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """
    *mode* is that of the folder, None when there is none.

    *made_at* is of the oldest key that signs, None when none signs access tokens.
    """

    mode: int | None = None
    made_at: datetime | None = None
    fault: str | None = None
