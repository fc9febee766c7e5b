"""The `claims` parameter: claims that a client asks for by name (OpenID Connect Core, section 5.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SECTIONS = ("userinfo", "id_token")
MOST_CLAIMS = 50
LONGEST_NAME = 100
DEEPEST = 8
LARGEST = 2**53  # what every reader of JSON keeps exactly


class MalformedClaims(ValueError):
    """The text says what to change."""


def claims_request(text: str) -> dict[str, Any]:
    """
    The sections that we know, with the demands of each claim: None or an object.

    Unknown sections and claims are ignored, as the specification wants. Raises `MalformedClaims`.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedClaims("The claims parameter is not JSON.") from None
    if not isinstance(given, dict):
        raise MalformedClaims("The claims parameter is a JSON object.")
    return {section: _section(section, given[section]) for section in SECTIONS if given.get(section) is not None}


def _section(name: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) > MOST_CLAIMS:
        raise MalformedClaims(f"In the claims parameter {name} is an object of at most {MOST_CLAIMS} members.")
    if not all(isinstance(demand, dict) or demand is None for demand in given.values()):
        raise MalformedClaims(f"In the claims parameter each member of {name} is null or an object.")
    if any(len(claim) > LONGEST_NAME for claim in given) or not _storable(given):
        raise MalformedClaims(f"In the claims parameter {name} holds a value that no claim can have.")
    return dict(given)


def _storable(value: Any, depth: int = 1) -> bool:
    """Whether every store can keep it: no NUL, no half of a surrogate pair, no number out of range, not nested deep."""
    if isinstance(value, dict | list):
        members = [*value, *value.values()] if isinstance(value, dict) else value
        return depth <= DEEPEST and all(_storable(member, depth + 1) for member in members)
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, int | float) or abs(value) <= LARGEST


def demanded_subject(requested: Mapping[str, Any] | None) -> str | None:
    """The one user that the ID token must be about."""
    demand = ((requested or {}).get("id_token") or {}).get("sub")
    value = demand.get("value") if isinstance(demand, dict) else None
    return value if isinstance(value, str) else None


def demanded_acr(requested: Mapping[str, Any] | None) -> frozenset[str] | None:
    """The levels of which one must be reached; None when nothing is essential (section 5.5.1.1)."""
    demand = ((requested or {}).get("id_token") or {}).get("acr")
    if not isinstance(demand, dict) or demand.get("essential") is not True:
        return None
    values = demand.get("values") if isinstance(demand.get("values"), list) else [demand.get("value")]
    levels = frozenset(value for value in values or [] if isinstance(value, str))
    return levels or None
