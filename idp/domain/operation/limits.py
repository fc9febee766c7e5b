"""
How often anybody may call: the whole policy in one table.

A category counts calls in a sliding window, so that no window of that length, wherever it begins, holds more than the limit.
Never limited: discovery, JWKS, health, and an authenticated client, unless a limit per client is set.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Per(StrEnum):
    """Whose calls are counted together. An address is an IPv4 address or the /64 of an IPv6 one."""

    ADDRESS = "address"
    ADDRESS_AND_CLIENT = "address and client"
    USER = "user"
    CLIENT = "client"


class Category(StrEnum):
    LOGIN = "login"
    REGISTER = "register"
    REFRESH = "refresh"
    API = "api"
    ADMIN = "admin"
    CLIENT = "client"
    AUTHORIZE = "authorize"
    CLIENT_PROOF = "client_proof"

    @property
    def per(self) -> Per:
        return POLICY[self].per

    @property
    def covers(self) -> str:
        return POLICY[self].covers

    def limit(self, count: int, window: timedelta) -> Limit:
        each = POLICY[self].bytes_each
        return Limit(count, window, count * each if each is not None else None)


@dataclass(frozen=True, slots=True)
class Rule:
    """*bytes_each*: what a call may make the stores keep, on average over a window; None where it makes them keep nothing."""

    per: Per
    covers: str
    bytes_each: int | None = None


POLICY: Mapping[Category, Rule] = {
    Category.LOGIN: Rule(Per.ADDRESS, "password attempts at every door"),
    Category.REGISTER: Rule(Per.ADDRESS, "registrations"),
    Category.REFRESH: Rule(Per.USER, "refreshes, at /auth/refresh and at the token endpoint"),
    Category.API: Rule(
        Per.ADDRESS, "the rest of /auth, and the userinfo endpoint: per user, and per address for calls without a user"
    ),
    Category.ADMIN: Rule(Per.USER, "/admin, and calls of a client that may not act for users here"),
    Category.CLIENT: Rule(Per.CLIENT, "calls of an authenticated client for itself"),
    Category.CLIENT_PROOF: Rule(
        Per.ADDRESS_AND_CLIENT, "failed client authentications, as many as password attempts: `IDP_LIMIT_LOGIN`"
    ),
    Category.AUTHORIZE: Rule(
        Per.ADDRESS, "authorization requests, and requests to sign out by POST: each is kept", bytes_each=1024
    ),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *count* in any *window*, and at most *budget* bytes; the first call of a window may have any size."""

    count: int
    window: timedelta
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """
    *reset* and *retry_after* are whole seconds: until nothing is counted any more, and until one call fits again. *bucket*: where
    in its counter the call was counted.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int
    bucket: int = 0


@dataclass(slots=True)
class Taken:
    """The decision that the answer to this request tells of, if it was limited."""

    decision: Decision | None = None


# Set by the edge for each request: whoever decides leaves the decision here, the edge writes it into the headers.
taken: contextvars.ContextVar[Taken] = contextvars.ContextVar("taken", default=Taken())  # noqa: B039 - replaced per request


# Told of each decision: its category, whether the call was allowed, and whether this process decided for itself.
OnDecision = Callable[[Category, bool, bool], None]


def unobserved(_: Category, __: bool, ___: bool) -> None:
    pass


class LoginCounts(StrEnum):
    """What of the sign-ins from one address counts. Failures: for an office or a backend behind one address."""

    ATTEMPTS = "attempts"
    FAILURES = "failures"


class Limits(Protocol):
    async def take(self, category: Category, subject: str, size: int = 0) -> Decision | None:
        """
        Counts one call of *subject* with *size* bytes and decides; None when the category is off. A call refused is not counted.

        Always decides: while the store is down each process counts for itself, and allows its share.
        """

    async def release(self, category: Category, subject: str, decision: Decision) -> None:
        """What *decision* has counted counts no longer. Never raises: while the store is down it may stay counted."""
