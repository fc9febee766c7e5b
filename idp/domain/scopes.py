"""Scopes: what a token may be used for (RFC 6749, section 3.3). `scope` is the wire string, `scopes` the set."""

from __future__ import annotations

from collections.abc import Iterable

# Advertised by discovery; a client may list others, which mean what its resource servers say.
SUPPORTED = ("openid", "profile", "email", "address", "phone", "offline_access")


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
