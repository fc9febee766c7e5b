"""What `/auth/*` takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from idp.controllers.accounts.claim_shapes import GivenClaims, ShownClaims
from idp.controllers.http.shapes import Body, Instant, Shape
from idp.domain.accounts.mail_addresses import MAX_EMAIL
from idp.domain.accounts.passwords import FEWEST_CHARACTERS, MOST_CHARACTERS
from idp.domain.accounts.users import ProfileChange, Role, User
from idp.domain.clients.clients import LONGEST_URI
from idp.domain.errors import FieldError, ValidationFailed
from idp.domain.sign_in.browser_sessions import BrowserSession
from idp.domain.sign_in.user_agents import device_name
from idp.services.accounts import account_rules
from idp.services.sessions.own_sessions import ShownSession
from idp.services.sign_in.rest_sessions import Tokens

# The rules of accounts say more than a schema can; what the schema has is there for who writes a client.
Email = Annotated[
    str,
    AfterValidator(account_rules.email),
    WithJsonSchema({"type": "string", "format": "email", "minLength": 3, "maxLength": MAX_EMAIL}),
]
Name = Annotated[
    str,
    Field(max_length=1000),
    AfterValidator(account_rules.name),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 1000,
            "description": "2 to 50 characters, or one letter of a script without case, such as Chinese; several spaces count "
            "as one.",
        }
    ),
]
NewPassword = Annotated[
    str,
    AfterValidator(account_rules.new_password),
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "minLength": FEWEST_CHARACTERS,
            "maxLength": MOST_CHARACTERS,
            "description": "With a lower-case letter, an upper-case letter and a digit; none that is common or made of the "
            "address or the name.",
        }
    ),
]
# Any text: what no account can have is simply wrong.
GivenEmail = Annotated[str, Field(min_length=1, max_length=1000)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=10_000)]
GivenResource = Annotated[str, Field(max_length=LONGEST_URI)]
GivenToken = Annotated[str, Field(min_length=1, max_length=10_000)]


class Registering(Body):
    email: Email
    password: NewPassword
    name: Name


class Credentials(Body):
    """*resource*: the API that the access tokens are for (RFC 8707), which then open nothing here; left out: this server."""

    email: GivenEmail
    password: GivenPassword
    resource: GivenResource | None = None


class RefreshTokenBody(Body):
    refresh_token: GivenToken


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out has no value, not an empty one."""
    del schema["default"]


class ProfileChanging(GivenClaims):
    """At least one of them. The name can be changed and not taken away."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name = Field(default="", json_schema_extra=_without_default)

    @property
    def change(self) -> ProfileChange:
        """Raises `ValidationFailed` for nothing."""
        if not self.model_fields_set:
            raise ValidationFailed([FieldError("name", "Say what to change: the name, or another member.")])
        return ProfileChange(name=self.name or None, claims=self.claims)


class CurrentPassword(Body):
    current_password: GivenPassword


class PasswordChanging(CurrentPassword):
    new_password: NewPassword


class EmailChanging(CurrentPassword):
    new_email: Email


class ForgottenPassword(Body):
    email: Email


class MailTokenBody(Body):
    token: GivenToken


class PasswordResetting(MailTokenBody):
    new_password: NewPassword


class OwnUser(ShownClaims):
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
            **cls.members(user),
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


class OwnSession(Shape):
    """*device* is what the sign-in said of itself; *address* and *last_used_at* are those of the last use."""

    id: UUID
    client_id: str
    client_name: str
    device: str
    address: str | None
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    current: bool

    @classmethod
    def of(cls, shown: ShownSession, *, current: UUID) -> Self:
        session = shown.session
        return cls(
            id=session.id,
            client_id=session.client_id,
            client_name=shown.client_name,
            device=device_name(session.user_agent),
            address=session.last_address or session.address,
            created_at=session.created_at,
            last_used_at=session.last_used_at or session.created_at,
            expires_at=session.expires_at,
            current=session.id == current,
        )


class OwnBrowser(Shape):
    """
    A browser in which the user is signed in on the hosted pages. *device* and *address* are those of the sign-in;
    *current*: the session that asks hangs on it.
    """

    id: UUID
    device: str
    address: str | None
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    current: bool

    @classmethod
    def of(cls, browser: BrowserSession, *, current: UUID | None) -> Self:
        return cls(
            id=browser.id,
            device=device_name(browser.user_agent),
            address=browser.address,
            created_at=browser.created_at,
            last_used_at=browser.last_used_at,
            expires_at=browser.expires_at,
            current=browser.id == current,
        )


class OwnSessionsAnswer(Shape):
    sessions: list[OwnSession]
    browsers: list[OwnBrowser]
