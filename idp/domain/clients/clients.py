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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from idp.domain.audit.events import Value
from idp.domain.clients.client_keys import names_of_keys
from idp.domain.operation.pages import Page, Place

# RFC 6749, appendix A.1: visible ASCII and space, as ids that are brought along may have. `.` and `..` would be no segment of a
# path: clients take them out of a URL before they send it.
LONGEST_CLIENT_ID = 255
LONGEST_URI = 2000
CLIENT_ID = re.compile(rf"(?!\.{{1,2}}\Z)[ -~]{{1,{LONGEST_CLIENT_ID}}}")
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
PRIVATE_KEY_JWT = "private_key_jwt"
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
    """
    *auth_method* None: either way of sending the secret. *resources* empty: any audience may be asked for, by a client that
    registered itself none. *audiences*: the resources that this client itself is, so that it may introspect tokens made for
    them. *first_party*: users are not asked for consent. *id_token_claims*: ID tokens hold the claims of their scopes.
    *registration_digest*: of the token with which the client manages its own registration (RFC 7592).

    The others bear the names of OpenID Connect Dynamic Client Registration 1.0, section 2, and the logout specifications.
    """

    client_id: str
    name: str
    auth_method: str | None = None
    secrets: tuple[ClientSecret, ...] = ()
    grant_types: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    scope: str = ""
    origins: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    application_type: str = "web"
    require_pkce: bool = True
    first_party: bool = False
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    id_token_signed_response_alg: str = "RS256"  # noqa: S105 - an algorithm
    id_token_claims: bool = False
    userinfo_signed_response_alg: str | None = None
    token_endpoint_auth_signing_alg: str | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    default_max_age: int | None = None
    require_auth_time: bool = False
    initiate_login_uri: str | None = None
    logo_uri: str | None = None
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()
    registration_digest: str | None = field(default=None, repr=False)
    enabled: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def public(self) -> bool:
        return self.auth_method == "none"

    @property
    def registered_itself(self) -> bool:
        return self.registration_digest is not None

    @property
    def signing_algorithms(self) -> frozenset[str]:
        """In which this server signs what it makes for the client alone."""
        chosen = (self.id_token_signed_response_alg, self.userinfo_signed_response_alg)
        return frozenset(algorithm for algorithm in chosen if algorithm)

    @property
    def keeps_secret(self) -> bool:
        """Whether it proves itself by one that it shares with this server."""
        return self.auth_method is None or self.auth_method in SECRET_METHODS

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    def may_ask_for(self, resource: str) -> bool:
        """RFC 8707. No list means any, but for who wrote the registration itself: nobody has looked at that one."""
        if not is_resource(resource):
            return False
        return resource in self.resources or not (self.resources or self.registered_itself)

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


def is_resource(text: str) -> bool:
    """An absolute URI without fragment (RFC 8707, section 2), of a length that every token for it can carry."""
    if len(text) > LONGEST_URI:
        return False
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


# Fields that no administrator sets, or that nobody is shown.
UNTOLD = frozenset({"client_id", "secrets", "registration_digest", "created_at", "updated_at"})


def members_of(client: Client) -> dict[str, Value]:
    """What an administrator may change of a client, as events tell it; of keys no more than which they are."""
    told = {
        _member(field.name): _told(getattr(client, field.name)) for field in fields(client) if field.name not in UNTOLD
    }
    return told | {"jwks": names_of_keys(client.jwks)}


def _member(field: str) -> str:
    """In camelCase, as it is called over REST."""
    if field == "auth_method":
        field = "token_endpoint_auth_method"
    first, *others = field.split("_")
    return first + "".join(word.capitalize() for word in others)


def _told(value: Any) -> Value:
    return list(value) if isinstance(value, tuple) else value


def version_of(client: Client) -> str:
    """The same as long as `members_of` says the same."""
    return hashlib.sha256(repr([client.client_id, *members_of(client).values()]).encode()).hexdigest()[:24]


class Clients(Protocol):
    async def find(self, client_id: str) -> Client | None:
        """A disabled client too; may be up to one second old."""

    async def present(self, client_id: str) -> Client | None:
        """As it is stored now."""

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

    async def page(self, search: str | None, limit: int, after: Place | None = None) -> Page[Client]:
        """Newest first, the built-in one last; *search* is part of the id or the name, in any case."""

    async def signing_algorithms(self) -> frozenset[str]:
        """Of every client that is enabled."""

    async def origins(self) -> frozenset[str]:
        """Every origin that an enabled client lists. The last known set while the store is down."""
