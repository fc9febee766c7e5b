"""
What the audit trail tells, as typed events.

An event has a stable name for who searches for it, says whom and what it concerns by id, and never holds a secret, a token,
a password or their digests. An event of a change is written in the transaction of that change, so both are there or neither.
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the call that caused an event came from. *actor* is who did it when that is not the user concerned."""

    address: str | None = None
    request_id: str | None = None
    actor: str | None = None


# Set by the edge for a request and by the command line for a command; a background task has none.
origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("origin", default=Origin())  # noqa: B039 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: ClassVar[str]
    severity: ClassVar[str] = "info"
    user_id: UUID | None = None
    client_id: str | None = None
    session_id: UUID | None = None

    @property
    def detail(self) -> dict[str, str | int | bool | None]:
        """What this kind of event has beyond whom it concerns."""
        common = ("user_id", "client_id", "session_id")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in common}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(Event):
    name = "user_registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOfKnownAddress(Event):
    name = "registration_of_known_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    name = "signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """*cause*: unknown_address, wrong_password, disabled or damaged_hash. Only the trail may tell them apart."""

    name = "sign_in_failed"
    severity = "warning"
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedPasswordHash(Event):
    name = "damaged_password_hash"
    severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(Event):
    name = "session_revoked"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenReused(Event):
    """*reason*: reuse (a retired token came back) or fork (two tokens of one generation). The family ended with it."""

    name = "refresh_token_reused"
    severity = "error"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenOfAnotherClient(Event):
    """*claimed_client_id* presented a token that was issued to *client_id*. The family stays alive."""

    name = "refresh_token_of_another_client"
    severity = "warning"
    claimed_client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Event):
    """A signed-in user asked for what needs a role: an attempt to get more rights, or a mistake of a client."""

    name = "access_denied"
    severity = "warning"
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    name = "profile_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDisabled(Event):
    name = "user_disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEnabled(Event):
    name = "user_enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    name = "roles_changed"
    roles: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChanged(Event):
    """*change*: created, updated, deleted or secret_rotated."""

    name = "client_changed"
    change: str


class Events(Protocol):
    async def record(self, event: Event) -> None:
        """Written to the trail and to the log. For events that tell of no change; the others are written by their store."""
