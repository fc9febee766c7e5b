"""What becomes of an account and of the mails to its owner."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.audit.events.event import Changes, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(Event):
    """A new account, made by its owner."""

    name = "user_registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOfKnownAddress(Event):
    """Somebody wanted to register with the address of this user, who was told by mail."""

    name = "registration_of_known_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    """The user changed what is told of them. *fields*: which, never what they say."""

    name = "profile_changed"
    fields: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """By the user, who knew the old one. The other sessions have ended."""

    name = "password_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRehashed(Event):
    """
    The right password was presented for a hash of another system, or of fewer rounds: it is stored as a hash of this server
    now. No session ended.
    """

    name = "password_rehashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordResetRequested(Event):
    """For an account that exists; a request for an unknown address leaves no event."""

    name = "password_reset_requested"


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
