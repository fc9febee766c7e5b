"""Scopes: what a token may be used for (RFC 6749, section 3.3). `scope` is the wire string, `scopes` the set."""

from __future__ import annotations

from collections.abc import Iterable

# What any client may have; a client may list others, which mean what its resource servers say.
SUPPORTED = ("openid", "profile", "email", "address", "phone", "offline_access")

# For this server's own interfaces, /auth and /admin. Only administrators register them, only users are behind them, and no
# token has one that nobody asked for.
ACCOUNT = "idp:account"
ADMIN = "idp:admin"
RESERVED = (ACCOUNT, ADMIN)
ADVERTISED = (*SUPPORTED, *RESERVED)


def granted_scope(
    requested: str | None, allowed: str, *, default: str | None = None, partly: bool = False
) -> str | None:
    """
    The scope to grant, in the order of *allowed*. When none is asked for: *default*, else all of it but what is reserved.

    None when something is asked for that is not allowed: the caller answers `invalid_scope`. *partly*: only when all of it is
    not; the rest is left out, and the answer says what was granted (RFC 6749, section 3.3).
    """
    permitted = allowed.split()
    wanted = set((requested or "").split(" ")) - {""}  # no other white space: that of Unicode is much
    if not wanted:
        return without_reserved(allowed) if default is None else default
    refused = wanted - set(permitted)
    if refused and (refused == wanted or not partly):
        return None
    return wire(scope for scope in permitted if scope in wanted)


def without_reserved(scope: str) -> str:
    return wire(one for one in scope.split() if one not in RESERVED)


def wire(scopes: Iterable[str]) -> str:
    return " ".join(scopes)
