"""
Users as administrators see and change them.

A change names only what shall be different. It is one step: what follows from it (sessions that end, mails that tell of it)
happens with it or not at all, and its events say what was before and what is after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from idp.domain.accounts.users import (
    NewUser,
    Role,
    User,
    UserStatus,
    canonical_email,
    changed_claims,
    changed_claims_between,
    rest_name,
)
from idp.domain.audit.events import (
    HIDDEN,
    Changes,
    Event,
    RolesChanged,
    UserDisabled,
    UserEnabled,
    UserUpdated,
    Value,
    changes_between,
)
from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """*locked_until* None: a password is looked at now. *last_sign_in_at* reaches as far back as the audit trail."""

    user: User
    failed_attempts: int = 0
    locked_until: datetime | None = None
    last_sign_in_at: datetime | None = None
    active_sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """*search* is part of the address or the name, in any case; None and empty do not narrow."""

    search: str | None = None
    status: UserStatus | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """
    None: stays as it is. A new address is unverified unless *email_verified* says otherwise. *claims*: what to set, by name;
    None takes the claim away.
    """

    email: str | None = None
    name: str | None = None
    roles: tuple[Role, ...] | None = None
    status: UserStatus | None = None
    email_verified: bool | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_end_administrator(self) -> bool:
        return self.status is UserStatus.DISABLED or (self.roles is not None and Role.ADMIN not in self.roles)

    def applied_to(self, user: User) -> User:
        email = self.email or user.email
        moved = canonical_email(email) != canonical_email(user.email)
        verified = user.email_verified and not moved if self.email_verified is None else self.email_verified
        return replace(
            user,
            email=email,
            name=self.name or user.name,
            roles=self.roles or user.roles,
            status=self.status or user.status,
            email_verified=verified,
            claims=changed_claims(user.claims, self.claims),
        )


def members_of(user: User) -> dict[str, Value]:
    """What an administrator may change of a user, as events tell it; of claims they tell less, see `events_of`."""
    return {
        "email": user.email,
        "name": user.name,
        "roles": [role.value for role in user.roles],
        "status": user.status.value,
        "emailVerified": user.email_verified,
    }


def version_of(user: User) -> str:
    """The same as long as what an administrator may change is the same."""
    claims = json.dumps(dict(user.claims), sort_keys=True)
    return hashlib.sha256(repr([str(user.id), *members_of(user).values(), claims]).encode()).hexdigest()[:24]


def events_of(before: User, after: User) -> list[Event]:
    changes = {**changes_between(members_of(before), members_of(after)), **_claim_changes(before, after)}
    events: list[Event] = []
    if status := changes.pop("status", None):
        kind = UserEnabled if after.active else UserDisabled
        events.append(kind(user_id=after.id, changes={"status": status}))
    if roles := changes.pop("roles", None):
        events.append(RolesChanged(user_id=after.id, roles=" ".join(after.roles), changes={"roles": roles}))
    if changes:
        events.append(UserUpdated(user_id=after.id, changes=changes))
    return events


def _claim_changes(before: User, after: User) -> Changes:
    """By claim. Where somebody lives or was born is no business of a trail that outlives the account."""

    def told(user: User, claim: str) -> Value:
        value = user.claims.get(claim)
        return value if value is None or isinstance(value, bool) else HIDDEN

    names = changed_claims_between(before, after)
    return {rest_name(name): (told(before, name), told(after, name)) for name in names}


class UserRecords(Protocol):
    async def find(self, user_id: UUID) -> UserRecord | None: ...

    async def page(self, wanted: UserFilter, limit: int, after: Place | None = None) -> Page[UserRecord]:
        """Newest first."""

    async def count(self, wanted: UserFilter) -> int: ...

    async def add(self, new: NewUser) -> User | None:
        """None when the address is taken. Who has no password and may sign in gets a mail with a link to set one."""

    async def change(self, user_id: UUID, wanted: UserChange, versions: frozenset[str] | None = None) -> User | None:
        """
        The user afterwards; None when there is no such user. Disabling ends every session.

        Raises `PreconditionFailed` when the present version is none of *versions*, `Conflict` for an address that is taken
        and when no active administrator would be left: of two that demote each other at once, one stays.
        """

    async def remove(self, user_id: UUID) -> Sequence[Session] | None:
        """The live sessions that ended with the account; None when there is no such user. Raises `Conflict` as `change`."""
