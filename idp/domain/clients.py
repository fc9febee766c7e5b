"""
Clients: the programs that ask for tokens (RFC 6749, section 2).

A confidential client has up to two live secrets, so that one can be replaced while the other still works. Secrets are
256 random bits, kept as SHA-256: a slow hash would protect nothing and cost a password's worth of CPU per token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
# A host in its ASCII form, in lower case; no wildcard.
ORIGIN_LETTERS = re.compile(r"[a-z0-9:/.\[\]_-]+")
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
GRANT_TYPES = ("password", "refresh_token", "client_credentials", "authorization_code")
SECRET_OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """*digest* is the SHA-256 of the secret in hexadecimal; *expires_at* is set on the one that is being replaced."""

    digest: str
    expires_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """*auth_method* None: either way of sending the secret. *resources* empty: any audience may be asked for."""

    client_id: str
    name: str
    auth_method: str | None = None
    secrets: tuple[ClientSecret, ...] = ()
    grant_types: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    scope: str = ""
    origins: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    enabled: bool = True
    created_at: datetime | None = None

    @property
    def public(self) -> bool:
        return self.auth_method == "none"

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    def takes_method(self, method: str) -> bool:
        return method == self.auth_method if self.auth_method else method in SECRET_METHODS

    def has_secret(self, presented: str, now: datetime) -> bool:
        digest = digest_of_secret(presented)
        matches = [hmac.compare_digest(digest, secret.digest) and secret.live(now) for secret in self.secrets]
        return any(matches)


# What /auth/* signs in for: public, first-party, known to every node without a store.
REST_CLIENT = Client(
    client_id="idp-rest",
    name="REST API",
    auth_method="none",
    grant_types=("password", "refresh_token"),
    scope="openid profile email offline_access",
)


def digest_of_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """256 random bits in base64url: safe in a header, a form and a shell."""
    return secrets.token_urlsafe(32)


def with_new_secret(
    current: Sequence[ClientSecret], secret: str, now: datetime, overlap: timedelta
) -> tuple[ClientSecret, ...]:
    """The newest live secret goes on for *overlap*, older ones end now: never more than two are live."""
    live = [old for old in current if old.live(now)]
    leaving = [ClientSecret(old.digest, min(old.expires_at or now + overlap, now + overlap)) for old in live[:1]]
    return (ClientSecret(digest_of_secret(secret)), *(leaving if overlap else []))


def client_faults(client: Client) -> list[tuple[str, str]]:
    """What is wrong with this registration, as (field, what to change) pairs; empty when it may be stored."""
    faults: list[tuple[str, str]] = []
    if not CLIENT_ID.fullmatch(client.client_id):
        faults.append(("client_id", "1 to 64 letters, digits, dots, dashes, underscores or tildes"))
    if client.client_id == REST_CLIENT.client_id:
        faults.append(("client_id", f"{REST_CLIENT.client_id} is built in"))
    if not 1 <= len(client.name) <= 100 or not client.name.isprintable():
        faults.append(("name", "1 to 100 printable characters"))
    if client.auth_method not in (None, "none", *SECRET_METHODS):
        faults.append(("auth_method", f"one of none, {', '.join(SECRET_METHODS)}"))
    faults += [
        ("grant_types", f"unknown grant type {grant}") for grant in client.grant_types if grant not in GRANT_TYPES
    ]
    if client.public and "client_credentials" in client.grant_types:
        faults.append(("grant_types", "a public client cannot use client_credentials"))
    faults += [("scope", f"not a scope: {scope}") for scope in client.scopes if not SCOPE_TOKEN.fullmatch(scope)]
    faults += [
        ("origins", f"{origin}: give scheme://host[:port] only") for origin in client.origins if not is_origin(origin)
    ]
    faults += [("redirect_uris", f"{uri}: {why}") for uri in client.redirect_uris if (why := redirect_uri_fault(uri))]
    faults += [
        ("resources", f"{uri}: give an absolute URI without fragment")
        for uri in client.resources
        if not is_resource(uri)
    ]
    return faults


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


def is_resource(text: str) -> bool:
    """An absolute URI without fragment (RFC 8707, section 2)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return (
        bool(parts.scheme and (parts.netloc or parts.path))
        and "#" not in text
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def redirect_uri_fault(uri: str) -> str | None:
    """Why *uri* cannot be registered (RFC 9700, section 2.1; RFC 8252, section 7), or None."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return "not a URI"
    if not uri.isascii() or not uri.isprintable() or set(uri) & set(' "<>\\^`{|}*#'):
        return "no spaces, wildcards, fragments or special characters"
    if parts.username is not None:
        return "no user information"
    if parts.scheme == "https" and host:
        return None
    if parts.scheme == "http":
        return None if host in ("127.0.0.1", "::1", "localhost") else "http is for loopback addresses only"
    # RFC 8252, section 7.1: a private-use scheme is a reversed domain name, which keeps out javascript: and data:.
    return None if "." in parts.scheme else "use https, loopback http or a private-use scheme with a dot"


class Clients(Protocol):
    async def find(self, client_id: str) -> Client | None:
        """A disabled client too; may be up to one second old."""

    async def add(self, client: Client) -> bool:
        """False when the id is taken."""

    async def replace(self, client: Client) -> bool:
        """False when there is no such client."""

    async def change(self, client_id: str, change: Callable[[Client], Client]) -> Client | None:
        """
        What *change* makes of the client as it is now; None when there is no such client.

        Changes of one client take turns, so none undoes another. What *change* raises leaves the client as it was.
        """

    async def remove(self, client_id: str) -> bool:
        """With its sessions revoked. False when there is no such client."""

    async def all(self) -> list[Client]: ...

    async def origins(self) -> frozenset[str]:
        """Every origin that an enabled client lists. The last known set while the store is down."""
