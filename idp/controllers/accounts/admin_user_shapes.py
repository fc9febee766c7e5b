"""Users, sessions, keys and statistics as administrators see them. Nothing here holds a password, a hash or a token."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from idp.controllers.accounts.claim_shapes import GivenClaims, ShownClaims
from idp.controllers.accounts.rest_shapes import Email, Name
from idp.controllers.http.listing import CanonicalUuid, Paging, Search
from idp.controllers.http.shapes import Body, Instant, Shape
from idp.domain.accounts.user_records import UserChange, UserFilter, UserRecord
from idp.domain.accounts.users import Role, UserStatus
from idp.domain.clients.clients import LONGEST_CLIENT_ID
from idp.domain.errors import FieldError, ValidationFailed
from idp.domain.operation.signing_keys import KeyState, SigningKey
from idp.domain.sessions.session_records import SessionFilter, SessionRecord
from idp.domain.sign_in.user_agents import device_name

# Bodies are strict, and JSON has no enumerations of its own.
GivenRole = Annotated[Role, Field(strict=False)]
GivenRoles = Annotated[list[GivenRole], Field(min_length=1, max_length=10)]
GivenStatus = Annotated[UserStatus, Field(strict=False)]


class UserListing(Paging):
    search: Search | None = None
    status: UserStatus | None = None
    role: Role | None = None

    @property
    def filter(self) -> UserFilter:
        return UserFilter(search=self.search, status=self.status, role=self.role)


class Invitation(Body):
    email: Email
    name: Name
    roles: GivenRoles = Field(default_factory=lambda: [Role.USER])
    status: GivenStatus = UserStatus.ACTIVE


class UserChanging(GivenClaims):
    """
    What is left out stays as it is. Of the members that every user has null stays too; of the others null takes it away.
    `id`, `lockedUntil`, `failedAttempts`, `lastSignInAt`, `activeSessions`, `createdAt` and `updatedAt` change nothing.
    """

    email: Email | None = None
    name: Name | None = None
    roles: GivenRoles | None = None
    status: GivenStatus | None = None
    email_verified: bool | None = None
    phone_number_verified: bool | None = None
    # Taken so that a user can be sent back as it was read; nobody changes them.
    id: Annotated[CanonicalUuid, Field(strict=False)] | None = None
    locked_until: str | None = None
    failed_attempts: int | None = None
    last_sign_in_at: str | None = None
    active_sessions: int | None = None
    created_at: str | None = None
    updated_at: str | None = None

    def change_of(self, user_id: UUID) -> UserChange:
        """Raises `ValidationFailed` for the id of another user."""
        if self.id is not None and self.id != user_id:
            raise ValidationFailed([FieldError("id", "This is the id of another user; the id cannot be changed.")])
        roles = tuple(role for role in Role if role in self.roles) if self.roles else None
        verified = self.phone_number_verified
        return UserChange(
            email=self.email,
            name=self.name,
            roles=roles,
            status=self.status,
            email_verified=self.email_verified,
            claims=self.claims | ({} if verified is None else {"phone_number_verified": verified}),
        )


class AdminUser(ShownClaims):
    """*locked_until*: while nobody may try the password; null when anybody may."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    status: UserStatus
    email_verified: bool
    locked_until: Instant | None
    failed_attempts: int
    last_sign_in_at: Instant | None
    active_sessions: int
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, record: UserRecord) -> Self:
        user = record.user
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            roles=user.roles,
            status=user.status,
            email_verified=user.email_verified,
            locked_until=record.locked_until,
            failed_attempts=record.failed_attempts,
            last_sign_in_at=record.last_sign_in_at,
            active_sessions=record.active_sessions,
            created_at=user.created_at,
            updated_at=user.updated_at,
            **cls.members(user),
        )


class AdminUserAnswer(Shape):
    user: AdminUser


class AdminUsers(Shape):
    """*total*: of all that match, on whatever page."""

    users: list[AdminUser]
    next_cursor: str | None
    total: int


class SessionListing(Paging):
    user_id: CanonicalUuid | None = None
    client_id: Annotated[str, Field(max_length=LONGEST_CLIENT_ID)] | None = None

    @property
    def filter(self) -> SessionFilter:
        return SessionFilter(user_id=self.user_id, client_id=self.client_id)


class AdminSession(Shape):
    """*device* is what the sign-in said of itself; *address* and *last_used_at* are those of the last use."""

    id: UUID
    user_id: UUID
    email: str
    client_id: str
    scope: str
    device: str
    address: str | None
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, record: SessionRecord) -> Self:
        session = record.session
        return cls(
            id=session.id,
            user_id=session.user_id,
            email=record.email,
            client_id=session.client_id,
            scope=session.scope,
            device=device_name(session.user_agent),
            address=session.last_address or session.address,
            created_at=session.created_at,
            last_used_at=session.last_used_at or session.created_at,
            expires_at=session.expires_at,
        )


class AdminSessions(Shape):
    sessions: list[AdminSession]
    next_cursor: str | None


class AdminKey(Shape):
    """*unpublished_at*: the end of its time in the JWKS, null while that is not known."""

    kid: str
    algorithm: str
    bits: int
    status: KeyState
    created_at: Instant
    activates_at: Instant
    unpublished_at: Instant | None

    @classmethod
    def of(cls, key: SigningKey) -> Self:
        return cls(
            kid=key.kid,
            algorithm=key.algorithm,
            bits=key.bits,
            status=key.state,
            created_at=key.created_at,
            activates_at=key.activates_at,
            unpublished_at=key.unpublished_at,
        )


class AdminKeys(Shape):
    keys: list[AdminKey]


class AdminKeysMade(Shape):
    """*key* signs access tokens, *others* ID tokens of clients that chose another algorithm."""

    key: AdminKey
    others: list[AdminKey]
