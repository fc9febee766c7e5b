"""
What a client may be registered as: the same rules at the command line and over HTTP.

A redirect URI is where codes are sent to, so it must name one place that belongs to the client (RFC 9700, section 2.1;
RFC 8252, section 7): no wildcard, no other scheme than https but on this machine or for an app of its own, nothing in its
query that the answer of the authorization endpoint says itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qsl, urlsplit

from idp.domain.clients import CLIENT_ID, GRANT_TYPES, REST_CLIENT, SECRET_METHODS, Client, is_resource

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
# A host in its ASCII form, in lower case; no wildcard.
ORIGIN_LETTERS = re.compile(r"[a-z0-9:/.\[\]_-]+")

# Whatever is registered is read again and again, and answered in full.
LONGEST_NAME = 100
LONGEST_URI = 2000
LONGEST_SCOPE = 1000
MOST_ENTRIES = 50

METHODS = ("none", *SECRET_METHODS)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
NEVER_IN_A_URI = frozenset(' "<>\\^`{|}*#')
# What the authorization endpoint adds (RFC 6749, section 4.1.2; RFC 9207; OpenID Connect's session management; JARM):
# of two values of one name the client might read the wrong one.
ANSWERED = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state"}
    | {"access_token", "id_token", "token_type", "expires_in"}
)

Fault = tuple[str, str]


def client_faults(client: Client) -> list[Fault]:
    """What is wrong with this registration, as (field, what to change) pairs; empty when it may be stored."""
    return [
        *_identity_faults(client),
        *_grant_faults(client),
        *_scope_faults(client),
        *_list_faults("origins", client.origins, _origin_fault),
        *_list_faults("redirect_uris", client.redirect_uris, redirect_uri_fault),
        *_list_faults("resources", client.resources, _resource_fault),
    ]


def _identity_faults(client: Client) -> Iterator[Fault]:
    if not CLIENT_ID.fullmatch(client.client_id):
        yield "client_id", "1 to 64 letters, digits, dots, dashes, underscores or tildes, a letter or digit first"
    if client.client_id == REST_CLIENT.client_id:
        yield "client_id", f"{REST_CLIENT.client_id} is built in"
    if not 1 <= len(client.name) <= LONGEST_NAME or not client.name.isprintable():
        yield "name", f"1 to {LONGEST_NAME} printable characters"
    if client.auth_method is not None and client.auth_method not in METHODS:
        yield "auth_method", f"one of {', '.join(METHODS)}"


def _grant_faults(client: Client) -> Iterator[Fault]:
    if not set(client.grant_types) <= set(GRANT_TYPES) or len(client.grant_types) > len(GRANT_TYPES):
        yield "grant_types", f"each of {', '.join(GRANT_TYPES)} at most once"
    if client.public and "client_credentials" in client.grant_types:
        yield "grant_types", "a public client cannot use client_credentials"


def _scope_faults(client: Client) -> Iterator[Fault]:
    if len(client.scope) > LONGEST_SCOPE or len(client.scopes) > MOST_ENTRIES:
        yield "scope", f"at most {MOST_ENTRIES} scopes in {LONGEST_SCOPE} characters"
        return
    for scope in client.scopes:
        if not SCOPE_TOKEN.fullmatch(scope):
            yield "scope", f"not a scope: {scope}"


def _list_faults(field: str, entries: Sequence[str], fault: Callable[[str], str | None]) -> Iterator[Fault]:
    if len(entries) > MOST_ENTRIES or any(len(entry) > LONGEST_URI for entry in entries):
        yield field, f"at most {MOST_ENTRIES}, of {LONGEST_URI} characters each"
        return
    for entry in entries:
        if why := fault(entry):
            yield field, f"{entry[:100]}: {why}"


def _origin_fault(text: str) -> str | None:
    return None if is_origin(text) else "give scheme://host[:port] only"


def _resource_fault(text: str) -> str | None:
    return None if is_resource(text) else "give an absolute URI without fragment"


def is_origin(text: str) -> bool:
    """scheme://host[:port], as a browser sends it (RFC 6454, section 6.2)."""
    if not ORIGIN_LETTERS.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts.scheme in ("http", "https") and bool(host) and text == f"{parts.scheme}://{host}{port}"


def redirect_uri_fault(uri: str) -> str | None:
    """Why *uri* cannot be registered, or None."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return "not a URI"
    if not uri.isascii() or not uri.isprintable() or set(uri) & NEVER_IN_A_URI:
        return "no spaces, wildcards, fragments or special characters"
    if "@" in parts.netloc:
        return "no user information"
    if repeated := ANSWERED & _names(parts.query):
        return f"its query must not have {', '.join(sorted(repeated))}, which the answer adds"
    return _place_fault(parts.scheme, host)


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
