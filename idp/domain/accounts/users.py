"""
Users: who signs in.

A user is known by one canonical e-mail address. `sub` is the random id, never the address, and is never given
to anybody else (OpenID Connect Core, section 5.7).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from idp.domain.accounts.mail_addresses import LONGEST_ADDRESS, unquoted


class Role(StrEnum):
    USER = "USER"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """
    *auth_epoch* grows when everything that was signed in before must end: it is copied into each session. *claims*: the
    standard claims that have no field of their own (OpenID Connect Core, section 5.1), as they are on the wire.
    """

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    status: UserStatus
    email_verified: bool
    auth_epoch: int
    created_at: datetime
    updated_at: datetime
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.status is UserStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """*password_hash* None: nobody can sign in before a password was set through a mail."""

    email: str
    name: str
    password_hash: str | None
    roles: tuple[Role, ...] = (Role.USER,)
    email_verified: bool = False
    status: UserStatus = UserStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """*name* None: stays as it is. *claims*: what to set, by name; None takes the claim away."""

    name: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, user: User) -> User:
        return replace(user, name=self.name or user.name, claims=changed_claims(user.claims, self.claims))


def changed_claims(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*before* with *changes*. Another telephone number is unverified unless *changes* say otherwise."""
    after = {name: value for name, value in {**before, **changes}.items() if value is not None}
    other_number = after.get("phone_number") != before.get("phone_number")
    if "phone_number" not in after or (other_number and "phone_number_verified" not in changes):
        after.pop("phone_number_verified", None)
    return after


def changed_claims_between(before: User, after: User) -> list[str]:
    """The names of the claims that differ, in the order of the alphabet."""
    names = {*before.claims, *after.claims}
    return sorted(name for name in names if before.claims.get(name) != after.claims.get(name))


def rest_name(claim: str) -> str:
    """`given_name` is `givenName` on /auth and /admin, and in events."""
    first, *rest = claim.split("_")
    return first + "".join(map(str.capitalize, rest))


def canonical_email(address: str) -> str:
    """
    The one form under which *address* is stored and counted: NFKC, case folded, trimmed, host in its ASCII form.

    Two spellings of one mailbox (`A@x`, ` a@x.`, full-width letters, `ü` or `xn--`) give the same text, so that
    they share one account and one counter of failures; so do quotes that are not needed. The local part is folded too: no
    provider in use tells `A@` from `a@`, and a second account there would only serve an impostor.
    """
    if len(address) > LONGEST_ADDRESS:
        return address  # of nobody; normalising a long run of combining marks takes quadratic time
    folded = unicodedata.normalize("NFKC", address).casefold().strip()
    local, at, host = folded.rpartition("@")
    if not at:
        return folded
    host = host.strip(".")
    with suppress(UnicodeError):  # not a host name: kept as it is, no stored address will equal it
        host = host.encode("idna").decode("ascii")
    return f"{unquoted(local)}@{host}"


class Profiles(Protocol):
    async def find(self, user_id: UUID, updated_at: datetime | None) -> User | None:
        """The user as of the change at *updated_at*, or a later one; None: as of now."""


class Users(Protocol):
    async def find(self, user_id: UUID) -> User | None: ...

    async def find_by_email(self, address: str) -> User | None:
        """By any spelling of the address."""

    async def find_with_password(self, address: str) -> tuple[User, str | None] | None:
        """The user and the stored password hash; None for an unknown address."""

    async def has_administrator(self) -> bool: ...

    async def add_first_administrator(self, new: NewUser) -> User | None:
        """The new user with a random id, only while no administrator exists; None otherwise. One of many at once adds."""

    async def change_profile(self, user_id: UUID, change: ProfileChange) -> User | None:
        """The user afterwards; None when there is no such user. Changes of one user take turns, so none undoes another."""

    async def replace_password_hash(self, user_id: UUID, old: str, new: str) -> bool:
        """Only if *old* is still the stored one: a rehash never undoes a change of password."""
