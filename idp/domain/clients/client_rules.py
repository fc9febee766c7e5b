"""
What a client may be registered as: the same rules at the command line, over HTTP and for clients that register themselves.

    redirect_uris   where browsers are sent to
    client_keys     the keys with which it signs
    here            everything else, and the table of all fields
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from idp.domain.clients.client_keys import ALGORITHMS, jwks_fault
from idp.domain.clients.clients import (
    CLIENT_ID,
    GRANT_TYPES,
    LONGEST_CLIENT_ID,
    LONGEST_URI,
    PRIVATE_KEY_JWT,
    REST_CLIENT,
    SECRET_METHODS,
    Client,
    is_resource,
)
from idp.domain.clients.redirect_uris import redirect_uri_fault, web_fault
from idp.domain.tokens.scopes import RESERVED

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
# A host in its ASCII form, in lower case; no wildcard.
ORIGIN_LETTERS = re.compile(r"[a-z0-9:/.\[\]_-]+")
CONTACT = re.compile(r"[^\s@<>,;:\"()]+@[^\s@<>,;:\"()]+")

# Whatever is registered is read again and again, and answered in full.
LONGEST_NAME = 100
LONGEST_SCOPE = 1000
LONGEST_CONTACT = 254
MOST_ENTRIES = 50
LONGEST_AGE = 2**31 - 1  # seconds, as the column holds them

METHODS = ("none", *SECRET_METHODS, PRIVATE_KEY_JWT)
APPLICATION_TYPES = ("web", "native")
PAGES = ("logo_uri", "client_uri", "policy_uri", "tos_uri")
# Field → whether None is among its values.
SIGNATURES = {
    "id_token_signed_response_alg": False,
    "userinfo_signed_response_alg": True,
    "token_endpoint_auth_signing_alg": True,
}

Fault = tuple[str, str]


def client_faults(client: Client) -> list[Fault]:
    """What is wrong with this registration, as (field, what to change) pairs; empty when it may be stored."""
    return_fault = functools.partial(redirect_uri_fault, native=client.application_type == "native")
    return [
        *_identity_faults(client),
        *_grant_faults(client),
        *_scope_faults(client),
        *_list_faults("origins", client.origins, _origin_fault),
        *_list_faults("redirect_uris", client.redirect_uris, return_fault),
        *_list_faults("post_logout_redirect_uris", client.post_logout_redirect_uris, return_fault),
        *_list_faults("resources", client.resources, _resource_fault),
        *_list_faults("audiences", client.audiences, _resource_fault),
        *_list_faults("contacts", client.contacts, _contact_fault),
        *_place_faults(client),
        *_key_faults(client),
        *_sign_in_faults(client),
    ]


def _identity_faults(client: Client) -> Iterator[Fault]:
    if not CLIENT_ID.fullmatch(client.client_id):
        yield "client_id", f"1 to {LONGEST_CLIENT_ID} visible ASCII characters or spaces, not . or .. alone"
    if client.client_id == REST_CLIENT.client_id:
        yield "client_id", f"{REST_CLIENT.client_id} is built in"
    if not 1 <= len(client.name) <= LONGEST_NAME:
        yield "name", f"1 to {LONGEST_NAME} characters"
    if client.auth_method is not None and client.auth_method not in METHODS:
        yield "auth_method", f"one of {', '.join(METHODS)}"
    if client.application_type not in APPLICATION_TYPES:
        yield "application_type", f"one of {', '.join(APPLICATION_TYPES)}"


def _grant_faults(client: Client) -> Iterator[Fault]:
    if not set(client.grant_types) <= set(GRANT_TYPES) or len(client.grant_types) > len(GRANT_TYPES):
        yield "grant_types", f"each of {', '.join(GRANT_TYPES)} at most once"
    if client.public and "client_credentials" in client.grant_types:
        yield "grant_types", "a public client cannot use client_credentials"
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        yield "redirect_uris", "authorization_code needs at least one"
    if client.public and not client.require_pkce:
        yield "require_pkce", "a public client has nothing else to prove that a code is its own: it needs PKCE"


def _scope_faults(client: Client) -> Iterator[Fault]:
    if len(client.scope) > LONGEST_SCOPE or len(client.scopes) > MOST_ENTRIES:
        yield "scope", f"at most {MOST_ENTRIES} scopes in {LONGEST_SCOPE} characters"
        return
    for scope in client.scopes:
        if not SCOPE_TOKEN.fullmatch(scope):
            yield "scope", f"not a scope: {scope}"
    if client.registered_itself and client.scopes & set(RESERVED):
        yield "scope", f"no client that registered itself may have {' or '.join(RESERVED)}"


def _list_faults(field: str, entries: Sequence[str], fault: Callable[[str], str | None]) -> Iterator[Fault]:
    if len(entries) > MOST_ENTRIES or any(len(entry) > LONGEST_URI for entry in entries):
        yield field, f"at most {MOST_ENTRIES}, of {LONGEST_URI} characters each"
        return
    for entry in entries:
        if why := fault(entry):
            yield field, f"{entry[:100]}: {why}"


def _place_faults(client: Client) -> Iterator[Fault]:
    """Pages that users are shown or sent to, and places that this server calls itself."""
    for field in (*PAGES, "initiate_login_uri", "backchannel_logout_uri", "jwks_uri"):
        uri: str | None = getattr(client, field)
        if uri is None:
            continue
        if len(uri) > LONGEST_URI:
            yield field, f"at most {LONGEST_URI} characters"
        elif why := web_fault(uri):
            yield field, why
        elif field not in PAGES and "#" in uri:
            yield field, "no fragment"
        elif field == "jwks_uri" and not uri.lower().startswith("https:"):
            yield field, "use https: whoever could change the keys on their way could be this client"


def _key_faults(client: Client) -> Iterator[Fault]:
    if client.jwks is not None and (why := jwks_fault(client.jwks)):
        yield "jwks", why
    if client.jwks is not None and client.jwks_uri is not None:
        yield "jwks_uri", "give either jwks or jwks_uri"
    if client.auth_method == PRIVATE_KEY_JWT and client.jwks is None and client.jwks_uri is None:
        yield "jwks", f"{PRIVATE_KEY_JWT} needs jwks or jwks_uri"
    for field, optional in SIGNATURES.items():
        algorithm = getattr(client, field)
        if algorithm not in ALGORITHMS and not (optional and algorithm is None):
            yield field, f"one of {', '.join(ALGORITHMS)}"


def _sign_in_faults(client: Client) -> Iterator[Fault]:
    if client.default_max_age is not None and not 0 <= client.default_max_age <= LONGEST_AGE:
        yield "default_max_age", f"seconds, 0 to {LONGEST_AGE}"


def _origin_fault(text: str) -> str | None:
    return None if is_origin(text) else "give scheme://host[:port] only"


def _resource_fault(text: str) -> str | None:
    return None if is_resource(text) else "give an absolute URI without fragment"


def _contact_fault(text: str) -> str | None:
    plausible = len(text) <= LONGEST_CONTACT and text.isprintable() and CONTACT.fullmatch(text)
    return None if plausible else "give an e-mail address"


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
