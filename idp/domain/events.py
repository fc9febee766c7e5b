"""
What the audit trail tells, as typed events.

An event has a stable name for who searches for it, says whom and what it concerns by id, and never holds a secret, a token,
a password or their digests. An event of a change is written in the transaction of that change, so both are there or neither.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the call that caused an event came from. *actor* is who did it when that is not the user concerned."""

    address: str | None = None
    request_id: str | None = None
    actor: str | None = None
    user_agent: str | None = None


# Set by the edge for a request and by the command line for a command; a background task has none.
origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("origin", default=Origin())  # noqa: B039 - frozen


# Field → its values before and after, None for a side that there is not. Of secrets it says only `HIDDEN`.
Value = str | int | bool | Sequence[str] | None
Changes = Mapping[str, Sequence[Value]]
Detail = str | int | bool | Changes | None
HIDDEN = "(hidden)"


def changes_between(before: Mapping[str, Value], after: Mapping[str, Value]) -> Changes:
    """What differs. A field that one side lacks is None there."""
    pairs = {name: (before.get(name), after.get(name)) for name in (*before, *after)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: ClassVar[str]
    severity: ClassVar[str] = "info"
    user_id: UUID | None = None
    client_id: str | None = None
    session_id: UUID | None = None

    @property
    def detail(self) -> dict[str, Detail]:
        """What this kind of event has beyond whom it concerns."""
        common = ("user_id", "client_id", "session_id")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in common}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(Event):
    """A new account, made by its owner."""

    name = "user_registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOfKnownAddress(Event):
    """Somebody wanted to register with the address of this user, who was told by mail."""

    name = "registration_of_known_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    """A session has begun."""

    name = "signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """
    *cause*: unknown_address, wrong_password, disabled or damaged_hash. Only the trail may tell them apart. *identifier*:
    the first digits of a keyed digest of the address, the same for every spelling of it.
    """

    name = "sign_in_failed"
    severity = "warning"
    cause: str
    identifier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLocked(Event):
    """
    Too many wrong passwords: nothing is looked at for *seconds*. *device*: only for the device that they came from.
    *user_id* is missing when nobody has that address.
    """

    name = "account_locked"
    severity = "warning"
    identifier: str
    device: bool
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnlocked(Event):
    """Before its time, by an administrator or by a reset of the password."""

    name = "account_unlocked"
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedPasswordHash(Event):
    """The stored hash cannot be read: the user needs a new password."""

    name = "damaged_password_hash"
    severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(Event):
    """A session ended before its time; *reason* is who or what ended it. Its tokens end with it."""

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
    """The user changed the name."""

    name = "profile_changed"


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
class ClientChanged(Event):
    """*change*: created, updated, deleted or secret_rotated."""

    name = "client_changed"
    change: str
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCreated(Event):
    """By an administrator, unlike `user_registered`."""

    name = "user_created"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUpdated(Event):
    """An administrator changed name or address. Status and roles have events of their own."""

    name = "user_updated"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Event):
    """*kid* is the key that was made; it signs from *activates_at* on."""

    name = "key_rotated"
    kid: str
    activates_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRoleUsed(Event):
    """The token says ADMIN, the user no longer is one: an old token in use, or in other hands."""

    name = "stale_role_used"
    severity = "warning"
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Event):
    """*count* times from one place within a short span: each alone would cost more than it tells."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRefreshed(Counted):
    """Of one session, within two seconds."""

    name = "tokens_refreshed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedTokenPresented(Counted):
    """Access tokens that name a key of this server and were not signed with it, within a minute."""

    name = "forged_token_presented"
    severity = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAccountsFromOneAddress(Event):
    """Failed sign-ins from one address for *identifiers* different ones: passwords tried across accounts."""

    name = "many_accounts_from_one_address"
    severity = "error"
    identifiers: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAddressesForOneAccount(Event):
    """Failed sign-ins for one *identifier* from *addresses* different ones: a distributed attack on one account."""

    name = "many_addresses_for_one_account"
    severity = "error"
    identifier: str
    addresses: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeEscalationSuspected(Event):
    """One user was refused again and again what needs a role."""

    name = "privilege_escalation_suspected"
    severity = "error"
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDayClosed(Event):
    """The head of the chain of a day that is over: *digest* in hexadecimal digits, to be kept outside of the database."""

    name = "audit_day_closed"
    day: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPruned(Event):
    """The events of *day* were older than the retention and have been deleted."""

    name = "audit_pruned"
    day: str
    count: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that is written later than it happened, so it says itself when and where that was."""

    event: Event
    at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """By the user, who knew the old one. The other sessions have ended."""

    name = "password_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordResetRequested(Event):
    """For an account that exists; a request for an unknown address leaves no event."""

    name = "password_reset_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordResetTriggered(Event):
    """An administrator had a mail sent with which the user can set a password."""

    name = "password_reset_triggered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordReset(Event):
    """With the token of a mail. Every session has ended."""

    name = "password_reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailVerified(Event):
    """The user has opened a mail that was sent to the address."""

    name = "email_verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChangeRequested(Event):
    """A mail went to the new address; nothing has changed yet."""

    name = "email_change_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChanged(Event):
    """The new address was confirmed."""

    name = "email_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeleted(Event):
    """The account and its sessions are gone; what the trail has of it stays."""

    name = "user_deleted"
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDropped(Event):
    """A mail was given up: refused by the other server, or not taken for three days. *kind* is that of the mail."""

    name = "mail_dropped"
    severity = "warning"
    kind: str
    mail_id: str
    reason: str


class Events(Protocol):
    async def record(self, event: Event) -> None:
        """Written to the trail and to the log. For events that tell of no change; the others are written by their store."""

    async def record_all(self, occurrences: Sequence[Occurrence]) -> None:
        """The same in one step for many, all or none of them."""
