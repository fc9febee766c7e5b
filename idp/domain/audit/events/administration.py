"""What administrators change, at whichever door."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.audit.events.event import Changes, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCreated(Event):
    """By an administrator, unlike `user_registered`."""

    name = "user_created"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImported(Event):
    """An account of another system, or of a file that this one wrote. *source*: jsonl, keycloak or auth0."""

    name = "user_imported"
    source: str
    roles: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUpdated(Event):
    """
    An administrator changed name, address or what else is told of the user: of those claims it does not say what they were.
    Status and roles have events of their own.
    """

    name = "user_updated"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDisabled(Event):
    """The user can no longer sign in; the sessions have ended."""

    name = "user_disabled"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEnabled(Event):
    """The user can sign in again."""

    name = "user_enabled"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    """*roles* are those from now on."""

    name = "roles_changed"
    roles: str
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordResetTriggered(Event):
    """An administrator had a mail sent with which the user can set a password."""

    name = "password_reset_triggered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChanged(Event):
    """*change*: created, updated, deleted or secret_rotated."""

    name = "client_changed"
    change: str
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Event):
    """*kid* is the key that was made; it signs *algorithm* from *activates_at* on."""

    name = "key_rotated"
    kid: str
    algorithm: str
    activates_at: str
