"""What `/auth/*` takes and gives."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from idp.controllers.shapes import Body, Instant, Shape
from idp.domain.users import Role, User
from idp.services import account_rules
from idp.services.rest_sessions import Tokens

Email = Annotated[str, AfterValidator(account_rules.email)]
Name = Annotated[str, Field(max_length=1000), AfterValidator(account_rules.name)]
NewPassword = Annotated[str, AfterValidator(account_rules.new_password)]
# Any text: what no account can have is simply wrong.
GivenEmail = Annotated[str, Field(min_length=1, max_length=1000)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=10_000)]
GivenToken = Annotated[str, Field(min_length=1, max_length=10_000)]


class Registering(Body):
    email: Email
    password: NewPassword
    name: Name


class Credentials(Body):
    email: GivenEmail
    password: GivenPassword


class RefreshTokenBody(Body):
    refresh_token: GivenToken


class ProfileChange(Body):
    name: Name


class OwnUser(Shape):
    """A user as that user sees it."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    email_verified: bool
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            roles=user.roles,
            email_verified=user.email_verified,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class UserAnswer(Shape):
    user: OwnUser


class Refreshed(Shape):
    """*expires_in*: seconds until the access token ends."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a type, no token
    expires_in: int

    @classmethod
    def of(cls, tokens: Tokens) -> Refreshed:
        return Refreshed(
            access_token=tokens.access_token, refresh_token=tokens.refresh_token, expires_in=tokens.expires_in
        )


class SignedIn(Refreshed):
    user: OwnUser
