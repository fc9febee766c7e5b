"""
Our own format, which `idp users export` writes: one JSON object on a line, only `email` is needed.

    {"email": "ada@example.com", "name": "Ada", "email_verified": true, "roles": ["USER"], "status": "active",
     "id": "5f0c…", "created_at": "2026-01-31T12:00:00Z", "password_hash": "$2b$12$…", "claims": {"given_name": "Ada"}}
"""

from __future__ import annotations

from typing import Any

from idp.domain.accounts.user_imports import ImportedUser
from idp.domain.accounts.users import Role, UserStatus
from idp.services.accounts import account_rules
from idp.services.accounts.imports.members import Members, claims

MEMBERS = (
    "email",
    "name",
    "email_verified",
    "roles",
    "status",
    "id",
    "created_at",
    "updated_at",
    "password_hash",
    "claims",
)
ROLES = ", ".join(Role)
STATUSES = ", ".join(UserStatus)


def user_of(value: Any) -> ImportedUser:
    """Raises `ValueError` for a member that is not known: a misspelt `password_hash` would lock everybody out."""
    members = Members(value)
    members.require_known(MEMBERS)
    email = members.email()
    given = members.inner("claims")
    return ImportedUser(
        email=email,
        name=members.ruled("name", account_rules.name) or _name_of(members, email),
        roles=_roles(members),
        status=members.ruled("status", _status) or UserStatus.ACTIVE,
        email_verified=members.flag("email_verified"),
        password_hash=members.text("password_hash"),
        claims=claims(given) if given is not None else {},
        id=members.id("id"),
        created_at=members.instant("created_at"),
        updated_at=members.instant("updated_at"),
    )


def _name_of(members: Members, email: str) -> str:
    local = email.rpartition("@")[0].strip('"')[:50]
    return members.passed("name", account_rules.name, local if len(local) > 1 else email[:50])


def _roles(members: Members) -> tuple[Role, ...]:
    given = members.texts("roles") or [Role.USER]
    if not set(given) <= set(Role):
        raise members.fault("roles", f"there are {ROLES}, no others.")
    return tuple(role for role in Role if role in given)


def _status(text: str) -> UserStatus:
    try:
        return UserStatus(text)
    except ValueError:
        raise ValueError(f"there are {STATUSES}, no others.") from None
