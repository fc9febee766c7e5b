"""Clients as administrators see and register them. A secret is in the answer that made it and in no other."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from idp.controllers.http.listing import Paging, Search
from idp.controllers.http.shapes import Body, Instant, Query, Shape
from idp.domain.clients.clients import REST_CLIENT, SECRET_OVERLAP, Client
from idp.domain.errors import FieldError, ValidationFailed
from idp.services.clients.client_registration import Registered, Rotated

LONGEST_OVERLAP = 90 * 24 * 3600
DEFAULT_SCOPE = "openid profile email offline_access"

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
Signature = Literal["RS256", "PS256", "ES256", "EdDSA"]
# The rules for what is in them are the domain's; these only keep out what no rule needs to look at.
Text = Annotated[str, Field(max_length=10_000)]
Texts = Annotated[list[Text], Field(max_length=1000)]
Keys = Annotated[dict[str, Any], Field(description="A JWK Set of public keys (RFC 7517).")]

# Field of `Client` → what it is called here, where camelCase alone is not enough.
NAMES = {"auth_method": "token_endpoint_auth_method"}
FIELDS = {NAMES.get(field.name, field.name): field for field in fields(Client)}
UNCHANGED = {"client_id", "created_at", "updated_at"}


class ClientListing(Paging):
    search: Search | None = None


class ClientMetadata(Body):
    """
    What is left out gets its default, or stays as it is; a list that is given replaces the old one.

    *token_endpoint_auth_method* null: the secret may come in either way.
    """

    redirect_uris: Texts | None = None
    scope: Text | None = None
    origins: Texts | None = None
    resources: Texts | None = None
    audiences: Texts | None = None
    token_endpoint_auth_method: AuthMethod | None = None
    token_endpoint_auth_signing_alg: Signature | None = None
    application_type: Literal["web", "native"] | None = None
    require_pkce: bool | None = None
    first_party: bool | None = None
    post_logout_redirect_uris: Texts | None = None
    backchannel_logout_uri: Text | None = None
    backchannel_logout_session_required: bool | None = None
    id_token_signed_response_alg: Signature | None = None
    id_token_claims: bool | None = None
    userinfo_signed_response_alg: Signature | None = None
    jwks: Keys | None = None
    jwks_uri: Text | None = None
    default_max_age: int | None = None
    require_auth_time: bool | None = None
    initiate_login_uri: Text | None = None
    logo_uri: Text | None = None
    client_uri: Text | None = None
    policy_uri: Text | None = None
    tos_uri: Text | None = None
    contacts: Texts | None = None
    enabled: bool | None = None


class ClientRegistering(ClientMetadata):
    """*client_id*: made up when it is left out."""

    client_id: Text | None = None
    name: Text
    grant_types: Annotated[Texts, Field(min_length=1)]


class ClientChanging(ClientMetadata):
    """`clientId`, `builtIn`, `createdAt` and `updatedAt` change nothing."""

    name: Text | None = None
    grant_types: Annotated[Texts, Field(min_length=1)] | None = None
    # Taken so that a client can be sent back as it was read; nobody changes them.
    client_id: Text | None = None
    built_in: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None

    def changes_of(self, client_id: str) -> dict[str, Any]:
        """As `properties_of`. Raises `ValidationFailed` for the id of another client."""
        if self.client_id not in (None, client_id):
            message = "This is the id of another client; the id cannot be changed."
            raise ValidationFailed([FieldError("client_id", message)])
        return {name: value for name, value in properties_of(self).items() if name not in UNCHANGED}


def properties_of(given: ClientMetadata) -> dict[str, Any]:
    """The fields of `Client` that were given. Null empties one that may be empty; elsewhere it counts as left out."""
    named = {name: getattr(given, name) for name in given.model_fields_set & FIELDS.keys()}
    chosen = {FIELDS[name]: value for name, value in named.items() if value is not None or FIELDS[name].default is None}
    return {field.name: tuple(value) if isinstance(value, list) else value for field, value in chosen.items()}


class AdminClient(Shape):
    """*built_in*: part of the server, to be read only."""

    client_id: str
    name: str
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    scope: str
    origins: tuple[str, ...]
    resources: tuple[str, ...]
    audiences: tuple[str, ...]
    token_endpoint_auth_method: str | None
    token_endpoint_auth_signing_alg: str | None
    application_type: str
    require_pkce: bool
    first_party: bool
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: bool
    id_token_signed_response_alg: str
    id_token_claims: bool
    userinfo_signed_response_alg: str | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    default_max_age: int | None
    require_auth_time: bool
    initiate_login_uri: str | None
    logo_uri: str | None
    client_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    contacts: tuple[str, ...]
    enabled: bool
    built_in: bool
    created_at: Instant | None
    updated_at: Instant | None

    @classmethod
    def of(cls, client: Client) -> Self:
        told = {name: getattr(client, field.name) for name, field in FIELDS.items() if name in cls.model_fields}
        return cls(**told, built_in=client.client_id == REST_CLIENT.client_id)


class AdminClientAnswer(Shape):
    client: AdminClient


class AdminClients(Shape):
    clients: list[AdminClient]
    next_cursor: str | None


class RegisteredClient(Shape):
    """*client_secret*: shown this once; null where none was made."""

    client_id: str
    client_secret: str | None
    client: AdminClient

    @classmethod
    def of(cls, registered: Registered) -> Self:
        client = registered.client
        return cls(client_id=client.client_id, client_secret=registered.secret, client=AdminClient.of(client))


class SecretRotating(Query):
    """*overlap*: seconds for which the secret before this one still works."""

    overlap: int = Field(int(SECRET_OVERLAP.total_seconds()), ge=0, le=LONGEST_OVERLAP)


class RotatedSecret(Shape):
    """*previous_expires_at*: null when no other secret works any more."""

    client_id: str
    client_secret: str
    previous_expires_at: Instant | None

    @classmethod
    def of(cls, rotated: Rotated) -> Self:
        return cls(
            client_id=rotated.client_id,
            client_secret=rotated.secret,
            previous_expires_at=rotated.previous_expires_at,
        )
