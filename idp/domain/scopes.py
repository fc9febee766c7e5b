"""Scopes: what a token may be used for (RFC 6749, section 3.3). `scope` is the wire string, `scopes` the set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Advertised by discovery; a client may list others, which mean what its resource servers say.
SUPPORTED = ("openid", "profile", "email", "address", "phone", "offline_access")

# What each lets a client do, as the page that asks for consent says it.
SCOPE_TEXTS: Mapping[str, str] = {
    "openid": "Know that it is you",
    "profile": "See your name, picture and the rest of your profile",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your telephone number",
    "offline_access": "Keep its access while you are away",
}


def granted_scope(requested: str | None, allowed: str) -> str | None:
    """
    The scope to grant, in the order of *allowed*: all of it when none is asked for.

    None when something is asked for that is not allowed: the caller answers `invalid_scope`.
    """
    permitted = allowed.split()
    wanted = set((requested or "").split(" ")) - {""}  # no other white space: that of Unicode is much
    if not wanted:
        return " ".join(permitted)
    return wire(scope for scope in permitted if scope in wanted) if wanted <= set(permitted) else None


def wire(scopes: Iterable[str]) -> str:
    return " ".join(scopes)
