"""
Accounts that come from elsewhere with all that belongs to them: the id by which applications know the user, the password hash,
when they were made.

An import may be run again with the same file: who is known already stays as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from idp.domain.accounts.users import Role, UserStatus


class Source(StrEnum):
    """Whose format a file has."""

    JSONL = "jsonl"
    KEYCLOAK = "keycloak"
    AUTH0 = "auth0"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What stands in a file at one place: *number* is that of the line, or of the user where a file is one JSON document.

    *fault* says why there is no *value*.
    """

    file: str
    number: int
    value: Any = field(default=None, repr=False)
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedUser:
    """*password_hash* None: the user sets a password by "forgot password". *id* None: one is made at random."""

    email: str
    name: str
    roles: tuple[Role, ...] = (Role.USER,)
    status: UserStatus = UserStatus.ACTIVE
    email_verified: bool = False
    password_hash: str | None = field(default=None, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict)
    id: UUID | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Fate(StrEnum):
    """KNOWN: the address has an account. ID_TAKEN: the id belongs to an account with another address."""

    CREATED = "created"
    KNOWN = "known"
    ID_TAKEN = "id taken"


@dataclass(slots=True)
class Rehearsal:
    """
    What a dry run would have made so far: the next line with the same key finds it there, as in the run itself.

    Holds a hash of each key: 100 MB for a million users.
    """

    seen: set[int] = field(default_factory=set)

    def knows(self, *key: object) -> bool:
        return hash(key) in self.seen

    def add(self, *key: object) -> None:
        self.seen.add(hash(key))

    def is_first(self, *key: object) -> bool:
        """Whether nothing with this *key* was made before; from now on it was."""
        first = not self.knows(*key)
        self.add(*key)
        return first


class UserImports(Protocol):
    async def add_all(self, users: Sequence[ImportedUser], source: Source) -> Sequence[Fate]:
        """
        In one step, with an event for each account that is made; in the order of *users*. No mail goes out.

        Raises `StoreUnavailable`: then none of them was made, or the answer was lost and a second call finds them known.
        """

    async def look(self, users: Sequence[ImportedUser], rehearsal: Rehearsal) -> Sequence[Fate]:
        """What `add_all` would do with each, after all that *rehearsal* has made. Writes nothing."""
