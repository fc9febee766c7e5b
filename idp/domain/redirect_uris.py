"""
Where a browser may be sent with an answer.

A redirect URI must name one place that belongs to the client (RFC 9700, section 2.1; RFC 8252, section 7): no wildcard, no
other scheme than https but on this machine or for an app of its own, nothing in its query that the answer of the
authorization endpoint says itself. A presented one is compared character by character.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from idp.domain.clients import Client

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NEVER_IN_A_URI = frozenset(' "<>\\^`{|}*')
# What the authorization endpoint adds (RFC 6749, section 4.1.2; RFC 9207; OpenID Connect's session management; JARM):
# of two values of one name the client might read the wrong one.
ANSWERED = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state"}
    | {"access_token", "id_token", "token_type", "expires_in"}
)
# Before and after the port. `localhost` is a name, which may lead elsewhere (RFC 8252, section 8.3): no freedom there.
ON_THIS_MACHINE = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?((?:[/?].*)?)")


def redirect_uri_matches(client: Client, presented: str) -> bool:
    """
    Whether *presented* is a redirect URI of *client*: one that is registered, exactly.

    An app on the user's own machine listens where a port is free, so for `native` clients the port of a registered loopback
    address is any (RFC 8252, section 7.3); host, path and query are as registered.
    """
    if presented in client.redirect_uris:
        return True
    if client.application_type != "native":
        return False
    without_port = _without_port(presented)
    return without_port is not None and any(without_port == _without_port(uri) for uri in client.redirect_uris)


def redirect_uri_fault(uri: str) -> str | None:
    """Why *uri* cannot be registered, or None."""
    parts = parts_of(uri)
    if parts is None:
        return "not a URI"
    if not well_written(uri) or "#" in uri:
        return "no spaces, wildcards, fragments or special characters"
    if "@" in parts.netloc:
        return "no user information"
    if repeated := ANSWERED & _names(parts.query):
        return f"its query must not have {', '.join(sorted(repeated))}, which the answer adds"
    return _place_fault(parts.scheme, parts.hostname or "")


def web_fault(uri: str) -> str | None:
    """Why *uri* is no place on the web: https, or http on this machine."""
    parts = parts_of(uri)
    if parts is None or not well_written(uri) or not parts.hostname or "@" in parts.netloc:
        return "give an https:// address without spaces, wildcards and user information"
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return None
    return None if parts.scheme == "https" else "use https; http is for loopback addresses only"


def parts_of(uri: str) -> SplitResult | None:
    """None for what is no URI."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return None
    return parts


def well_written(uri: str) -> bool:
    """Of characters that a URI has, and that no reader takes for another thing."""
    return uri.isascii() and uri.isprintable() and not set(uri) & NEVER_IN_A_URI


def _place_fault(scheme: str, host: str) -> str | None:
    if scheme == "https" and host:
        return None
    if scheme == "http":
        return None if host in LOOPBACK else "http is for loopback addresses only"
    # RFC 8252, section 7.1: a private-use scheme is a reversed domain name, which keeps out javascript: and data:.
    return None if "." in scheme else "use https, loopback http or a private-use scheme with a dot"


def _names(query: str) -> set[str]:
    """Also of who takes `;` for `&`."""
    return {name for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}


def _without_port(uri: str) -> tuple[str, str] | None:
    found = ON_THIS_MACHINE.fullmatch(uri)
    return (found[1], found[2]) if found else None
