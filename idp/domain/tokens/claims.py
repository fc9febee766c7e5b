"""
Claims about a user, and which scope shares which (OpenID Connect Core, sections 5.1 and 5.4).

`name`, `email`, `email_verified` and `updated_at` are columns of a user; the others stand in `User.claims`, under their names
on the wire and in the form that `claim_rules` gives them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from idp.domain.accounts.users import User

SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
# What discovery lists.
SUPPORTED = ("sub", *(claim for claims in SCOPE_CLAIMS.values() for claim in claims))


def claims_for(user: User, scopes: Collection[str], requested: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    What may be told of *user* beside `sub`, by name on the wire: the claims of *scopes*, and those *requested* by name.

    *requested* is one section of the `claims` parameter, `userinfo` or `id_token` (section 5.5). Asked for by name counts as
    allowed: whoever consents sees the names. What the user has not is left out, never null.
    """
    wanted = {claim for scope in scopes for claim in SCOPE_CLAIMS.get(scope, ())} | set(requested or ())
    return {name: value for name, value in _all(user).items() if name in wanted}


def within_scopes(requested: Mapping[str, Any], scopes: Collection[str]) -> dict[str, Any]:
    """Of claims *requested* by name those that *scopes* share, and those that are no scope's."""
    others = {claim for scope, claims in SCOPE_CLAIMS.items() if scope not in scopes for claim in claims}
    return {claim: demand for claim, demand in requested.items() if claim not in others}


def _all(user: User) -> dict[str, Any]:
    stored = {name: value for name, value in user.claims.items() if value not in (None, "", {})}
    if "phone_number" in stored:
        stored.setdefault("phone_number_verified", False)
    return {
        "name": user.name,
        **stored,
        "email": user.email,
        "email_verified": user.email_verified,
        "updated_at": int(user.updated_at.timestamp()),
    }
