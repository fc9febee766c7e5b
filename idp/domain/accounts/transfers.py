"""Everything of one kind, to take it elsewhere, and what of it can be brought back: users have a file of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from idp.domain.accounts.users import User
from idp.domain.clients.clients import Client
from idp.domain.sign_in.consents import Consent


@dataclass(frozen=True, slots=True)
class ExportedUser:
    user: User
    password_hash: str | None = field(repr=False)


class Exports(Protocol):
    """
    Each, once, in an order that no change disturbs, a page at a time: memory does not grow. What is added meanwhile may be
    there or not. Raises `StoreUnavailable` at any place.
    """

    def users(self) -> AsyncIterator[ExportedUser]: ...

    def clients(self) -> AsyncIterator[Client]:
        """Without the built-in one."""

    def consents(self) -> AsyncIterator[Consent]: ...

    async def count(self, kind: str) -> int:
        """*kind*: users, clients or consents."""


class ConsentFate(StrEnum):
    CREATED = "created"
    KNOWN = "known"
    USER_UNKNOWN = "there is no such user"
    CLIENT_UNKNOWN = "there is no such client"


class ConsentImports(Protocol):
    async def add_all(self, consents: Sequence[Consent], *, dry_run: bool = False) -> Sequence[ConsentFate]:
        """In one step; in the order of *consents*. A consent that is known stays as it is."""
