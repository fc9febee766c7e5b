"""What `/auth/*` takes and gives. The names are the wire's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from idp.domain.users import User
from idp.services import account_rules

Email = Annotated[str, AfterValidator(account_rules.email)]
Name = Annotated[str, Field(max_length=1000), AfterValidator(account_rules.name)]
NewPassword = Annotated[str, AfterValidator(account_rules.new_password)]


class Body(BaseModel):
    # Strict: a number is no string. Unknown fields are named rather than dropped, so that a typing error is seen.
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Registering(Body):
    email: Email
    password: NewPassword
    name: Name


class Credentials(Body):
    """Any text: what no account can have is simply wrong."""

    email: Annotated[str, Field(min_length=1, max_length=1000)]
    password: Annotated[str, Field(min_length=1, max_length=10_000)]


class RefreshTokenBody(Body):
    refreshToken: Annotated[str, Field(min_length=1, max_length=10_000)]  # noqa: N815 - the wire's name


class ProfileChange(Body):
    name: Name


def user_json(user: User) -> dict[str, Any]:
    """A user as that user sees it."""
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": list(user.roles),
        "emailVerified": user.email_verified,
        "createdAt": instant(user.created_at),
        "updatedAt": instant(user.updated_at),
    }


def instant(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
