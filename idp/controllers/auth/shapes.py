"""What `/auth/*` takes and gives. The names are the wire's."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from idp.domain.passwords import password_faults
from idp.domain.users import User

MAX_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets


def _email(text: str) -> str:
    trimmed = unicodedata.normalize("NFKC", text).strip()
    if len(trimmed) > MAX_EMAIL:
        raise ValueError(f"An e-mail address has at most {MAX_EMAIL} characters.")
    try:
        # Not only globally deliverable names: intranets and the reserved test domains have mail too. With a dot all the same.
        parsed = validate_email(trimmed, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("Give an e-mail address, such as ada@example.com.") from None
    if "." not in parsed.ascii_domain.strip("."):
        raise ValueError("Give an e-mail address with a full domain, such as ada@example.com.")
    return parsed.normalized


def _name(text: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 2 <= len(name) <= 50:
        raise ValueError("A name has 2 to 50 characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") for character in name):
        raise ValueError("A name has no control characters.")
    return name


def _new_password(text: str) -> str:
    if faults := password_faults(text):
        raise ValueError(" ".join(faults))
    return text


Email = Annotated[str, AfterValidator(_email)]
Name = Annotated[str, Field(max_length=1000), AfterValidator(_name)]
NewPassword = Annotated[str, AfterValidator(_new_password)]


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
