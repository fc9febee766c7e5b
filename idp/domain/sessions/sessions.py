"""
Sessions: one sign-in of one user at one client, the durable record behind a family of refresh tokens.

Postgres keeps it. It is read at every refresh, so a revocation holds even when Redis forgets it; it is written at sign-in,
at revocation (before the answer) and by a batched checkpoint of `gen_floor`, never per rotation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from idp.domain.accounts.users import Role, UserStatus


class RevokedReason(StrEnum):
    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    REUSE = "reuse"
    FORK = "fork"
    ADMIN = "admin"
    USER_DISABLED = "user_disabled"
    CLIENT_REMOVED = "client_removed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason
    PASSWORD_RESET = "password_reset"  # noqa: S105
    ENDED_BY_USER = "ended_by_user"
    USER_DELETED = "user_deleted"
    CODE_REUSED = "code_reused"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105

    @property
    def theft(self) -> bool:
        return self in (RevokedReason.REUSE, RevokedReason.FORK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    *id* is the `sid` of tokens and lists; *family_id* stands in refresh tokens only, and is shown to nobody.

    *address* and *user_agent* are those of the sign-in, *last_address* that of the last use. A refresh reads none of the
    three, and has None for them.

    *browser_session_id*: the sign-in on the hosted page that this hangs on, None for a password handed over. *amr* (RFC 8176)
    says how the user proved who it is; *requested_claims* is the `claims` parameter (OpenID Connect Core, section 5.5).
    """

    id: UUID
    family_id: UUID
    user_id: UUID
    client_id: str
    scope: str
    audience: str | None
    auth_time: datetime
    auth_epoch: int
    created_at: datetime
    expires_at: datetime
    gen_floor: int = 0
    revoked_at: datetime | None = None
    revoked_reason: str | None = None
    last_used_at: datetime | None = None
    address: str | None = None
    user_agent: str | None = None
    last_address: str | None = None
    browser_session_id: UUID | None = None
    amr: tuple[str, ...] = ()
    requested_claims: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """When and from where a session was last used."""

    at: datetime
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """
    A session with the present state of its user, from one read.

    *user_updated_at*: when the user last changed; None where nobody asks for it.
    """

    session: Session
    email: str
    email_verified: bool
    name: str
    roles: tuple[Role, ...]
    status: UserStatus
    auth_epoch: int
    user_updated_at: datetime | None = None

    def over(self, now: datetime) -> str | None:
        """Why this session gives no more tokens, or None while it does."""
        if self.session.revoked_at is not None:
            return f"revoked: {self.session.revoked_reason}"
        if now >= self.session.expires_at:
            return "expired"
        if self.status is not UserStatus.ACTIVE:
            return "user disabled"
        if self.session.auth_epoch != self.auth_epoch:
            return "signed out everywhere"
        return None


@dataclass(frozen=True, slots=True)
class EndedUsers:
    """*last*: the greatest id among them, from which the next step goes on."""

    last: UUID
    sessions: Sequence[Session]


class Sessions(Protocol):
    async def add(self, session: Session, consented_at: datetime | None = None) -> bool:
        """
        False when the user has been disabled or signed out everywhere since *auth_epoch* was read, the sign-in that it
        hangs on has ended, or the consent of *consented_at* has been withdrawn.
        """

    async def find(self, session_id: UUID, jti: str | None = None) -> SessionState | None:
        """With the id of an access token: None also when that one was revoked."""

    async def find_family(self, family_id: UUID) -> SessionState | None: ...

    async def list_of(self, user_id: UUID) -> list[Session]:
        """Live ones, newest first."""

    async def revoke(self, session_id: UUID, reason: RevokedReason) -> bool:
        """True for the one call that revoked it; its event is written in the same step. Durable when this returns."""

    async def revoke_all(self, user_id: UUID, reason: RevokedReason) -> Sequence[Session]:
        """Raises the user's epoch and revokes every live session, in one step; gives those it revoked."""

    async def revoke_next(
        self, began_before: datetime, after: UUID | None, most: int, reason: RevokedReason
    ) -> EndedUsers | None:
        """
        As `revoke_all` for up to *most* users whose id comes after that one and who were signed in anywhere before that
        instant. None when there are no more.
        """

    async def raise_floors(self, floors: Mapping[UUID, int]) -> None:
        """Checkpoint: for each family a generation that is known to be used. A floor never falls."""

    async def note_uses(self, uses: Mapping[UUID, Use]) -> None:
        """For each session the last use that is known of. None of them moves back."""

    async def purge(self, before: datetime, most: int) -> int:
        """Deletes up to *most* sessions that expired before that instant; how many were deleted."""
