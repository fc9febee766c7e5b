"""Clients as administrators see and register them. A secret is in the answer that made it and in no other."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from idp.controllers.admin.listing import Paging, Search
from idp.controllers.shapes import Body, Instant, Query, Shape
from idp.domain.clients import REST_CLIENT, SECRET_OVERLAP, Client
from idp.services.client_registration import Registered, Rotated

LONGEST_OVERLAP = 90 * 24 * 3600
DEFAULT_SCOPE = "openid profile email offline_access"

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]
# The rules for what is in them are the domain's; these only keep out what no rule needs to look at.
Text = Annotated[str, Field(max_length=10_000)]
Texts = Annotated[list[Text], Field(max_length=1000)]

# Field of `Client` → what it is called here, where camelCase alone is not enough.
NAMES = {"auth_method": "token_endpoint_auth_method"}


class ClientListing(Paging):
    search: Search | None = None


class ClientRegistering(Body):
    """*client_id*: made up when it is left out. *token_endpoint_auth_method* null: the secret may come in either way."""

    client_id: Text | None = None
    name: Text
    grant_types: Annotated[Texts, Field(min_length=1)]
    redirect_uris: Texts = Field(default_factory=list)
    scope: Text = DEFAULT_SCOPE
    origins: Texts = Field(default_factory=list)
    resources: Texts = Field(default_factory=list)
    token_endpoint_auth_method: AuthMethod | None = None
    enabled: bool = True


class ClientChanging(Body):
    """What is left out stays as it is; a list that is given replaces the old one."""

    name: Text | None = None
    grant_types: Annotated[Texts, Field(min_length=1)] | None = None
    redirect_uris: Texts | None = None
    scope: Text | None = None
    origins: Texts | None = None
    resources: Texts | None = None
    token_endpoint_auth_method: AuthMethod | None = None
    enabled: bool | None = None


def properties_of(given: ClientRegistering | ClientChanging) -> dict[str, Any]:
    """The fields of `Client` that were given. Null is a value for the method only, elsewhere it counts as left out."""
    named = {name: getattr(given, name) for name in given.model_fields_set}
    method = {"auth_method": named.pop(NAMES["auth_method"])} if NAMES["auth_method"] in named else {}
    rest = {name: value for name, value in named.items() if value is not None}
    return method | {name: tuple(value) if isinstance(value, list) else value for name, value in rest.items()}


class AdminClient(Shape):
    """*built_in*: part of the server, to be read only."""

    client_id: str
    name: str
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    scope: str
    origins: tuple[str, ...]
    resources: tuple[str, ...]
    token_endpoint_auth_method: str | None
    enabled: bool
    built_in: bool
    created_at: Instant | None
    updated_at: Instant | None

    @classmethod
    def of(cls, client: Client) -> Self:
        return cls(
            client_id=client.client_id,
            name=client.name,
            grant_types=client.grant_types,
            redirect_uris=client.redirect_uris,
            scope=client.scope,
            origins=client.origins,
            resources=client.resources,
            token_endpoint_auth_method=client.auth_method,
            enabled=client.enabled,
            built_in=client.client_id == REST_CLIENT.client_id,
            created_at=client.created_at,
            updated_at=client.updated_at,
        )


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
