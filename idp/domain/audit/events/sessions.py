"""Sign-ins, the sessions that follow and the refresh tokens within them."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.audit.events.event import Counted, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    """
    A session has begun: of a client that was handed the password, or without *client_id* of a browser on the hosted page.
    *device*: browser and system in words of ours, as the caller said.
    """

    name = "signed_in"
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reauthenticated(Event):
    """Who was signed in on the hosted page has proved it again. *device* as in `signed_in`."""

    name = "reauthenticated"
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut(Event):
    """A browser's session on the hosted page has ended; *reason* is why. Those of the clients in it have events of their own."""

    name = "signed_out"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutNoticeDropped(Event):
    """A client could not be told that the session has ended, tried *attempts* times; *reason* is that of the last."""

    name = "logout_notice_dropped"
    severity = "warning"
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSignedIn(Event):
    """A client has redeemed a code: its session begins, within that of a browser."""

    name = "client_signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReused(Event):
    """A code was presented that had been redeemed already. The session that began with it has ended."""

    name = "code_reused"
    severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGranted(Event):
    """The user has allowed a client *scope*, at *resource* if that is not this server."""

    name = "consent_granted"
    scope: str
    resource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn(Event):
    """The user allows a client nothing any more. Its sessions have ended."""

    name = "consent_withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """
    *cause*: unknown_address, wrong_password, disabled or damaged_hash. Only the trail may tell them apart. *identifier*:
    the first digits of a keyed digest of the address, the same for every spelling of it. *device* as in `signed_in`.
    """

    name = "sign_in_failed"
    severity = "warning"
    cause: str
    identifier: str | None = None
    device: str | None = None


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
    """
    Failed sign-ins were forgotten before their time: by an administrator, or by a reset of the password when the account
    was *locked*.
    """

    name = "account_unlocked"
    identifier: str
    locked: bool


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
class AccessTokenRevoked(Event):
    """One access token ended before its time, at the wish of its client. The session lives on."""

    name = "access_token_revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRefreshed(Counted):
    """Of one session, within two seconds."""

    name = "tokens_refreshed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenReused(Event):
    """*reason*: reuse (a retired token came back) or fork (two tokens of one generation). The family ended with it."""

    name = "refresh_token_reused"
    severity = "error"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenOfAnotherClient(Counted):
    """
    *claimed_client_id* presented a token that was issued to *client_id*, within a minute. The family stays alive. Whoever
    has the token and knows the id of a public client can cause it, as often as they like.
    """

    name = "refresh_token_of_another_client"
    severity = "warning"
    claimed_client_id: str | None = None
