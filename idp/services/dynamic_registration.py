"""
Clients that register themselves and look after their registration (RFC 7591, RFC 7592, OpenID Connect DCR 1.0).

Who registers has a token that the operator handed out; who changes a registration has the one that came with it, of which
only the digest is stored. Such a client can sign users in and nothing more: no password grant, nothing for itself, and no
scope but those that this server knows, since what others mean is up to resource servers that never heard of the client.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from idp.domain.clients import Client, Clients, digest_of_secret, new_secret
from idp.domain.errors import FieldError, InvalidToken, NotFound, ValidationFailed
from idp.domain.scopes import SUPPORTED, wire
from idp.services.client_registration import ClientRegistration

GRANT_TYPES = ("authorization_code", "refresh_token")
RESPONSE_TYPES = ("code",)
SUBJECT_TYPE = "public"
# Where a field of `Client` has another name in a registration.
NAMES = {"name": "client_name", "auth_method": "token_endpoint_auth_method"}
# What the operator decides, or this server.
KEPT = frozenset(
    {"client_id", "secrets", "registration_digest", "created_at", "updated_at", "enabled"}
    | {"first_party", "origins", "resources", "audiences"}
)
# Name in a registration → field of `Client`, of all that a client says of itself.
METADATA = {NAMES.get(one.name, one.name): one.name for one in fields(Client) if one.name not in KEPT}
# What is registered where a client says nothing (RFC 7591, section 2); elsewhere it is the default of the field.
DEFAULTS: Mapping[str, Any] = {
    "auth_method": "client_secret_basic",
    "grant_types": ("authorization_code",),
    "scope": wire(SUPPORTED),
}
PLAIN: Mapping[str, Any] = {
    one.name: one.default for one in fields(Client) if one.name in METADATA.values() and one.name != "name"
}


@dataclass(frozen=True, slots=True)
class Issued:
    """*token* manages the registration; *secret* is the new one, None when none was made."""

    client: Client
    token: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicRegistration:
    registration: ClientRegistration
    clients: Clients
    initial_digest: str

    def permit(self, presented: str) -> None:
        """Raises `InvalidToken` unless *presented* is the operator's token."""
        if not hmac.compare_digest(digest_of_secret(presented), self.initial_digest):
            raise InvalidToken

    async def register(self, metadata: Mapping[str, Any]) -> Issued:
        """*metadata* by the names of RFC 7591. Raises `ValidationFailed` under those names."""
        client_id, token = secrets.token_hex(12), new_secret()
        properties = _properties(client_id, metadata)
        made = Client(client_id=client_id, registration_digest=digest_of_secret(token), **properties)
        with _names_of_metadata():
            registered = await self.registration.create(made)
        return Issued(registered.client, token, registered.secret)

    async def holder(self, client_id: str, presented: str) -> Client:
        """The client that *presented* manages. Raises `InvalidToken`, the same for a client that is not there."""
        client = await self.clients.present(client_id)
        digest = client.registration_digest if client is not None and client.enabled else None
        # Compared with something in any case, so that no time tells which clients there are.
        matches = hmac.compare_digest(digest_of_secret(presented), digest or digest_of_secret(""))
        if client is None or digest is None or not matches:
            raise InvalidToken
        return client

    async def replace(self, client: Client, presented: str, metadata: Mapping[str, Any]) -> Issued:
        """What *metadata* leaves out gets its default. Raises as `register`, and `InvalidToken` once the client is gone."""
        properties = _properties(client.client_id, metadata)
        with _names_of_metadata():
            changed = await self.registration.change(client.client_id, **properties)
        return Issued(changed.client, presented, changed.secret)

    async def remove(self, client: Client) -> None:
        """With its sessions. Raises `InvalidToken` when it is gone already."""
        with _names_of_metadata():
            await self.registration.remove(client.client_id)


def metadata_of(client: Client) -> dict[str, Any]:
    """All that is registered, by the names of RFC 7591; what is not is left out."""
    told = {name: getattr(client, field) for name, field in METADATA.items()}
    told |= {"response_types": RESPONSE_TYPES, "subject_type": SUBJECT_TYPE}
    return {name: value for name, value in told.items() if value is not None}


def _properties(client_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    if faults := list(_faults(metadata)):
        raise ValidationFailed(faults)
    given = {METADATA[name]: value for name, value in metadata.items() if name in METADATA and value is not None}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return {**PLAIN, **DEFAULTS, "name": client_id, **given}


def _faults(metadata: Mapping[str, Any]) -> list[FieldError]:
    """What this door refuses beyond the rules for every client."""
    grants, responses = metadata.get("grant_types"), metadata.get("response_types")
    found = []
    if grants is not None and not {"authorization_code"} <= set(grants) <= set(GRANT_TYPES):
        found.append(FieldError("grant_types", "authorization_code, and refresh_token with it; no other"))
    if responses is not None and tuple(responses) != RESPONSE_TYPES:
        found.append(FieldError("response_types", "code only"))
    if metadata.get("subject_type") not in (None, SUBJECT_TYPE):
        found.append(FieldError("subject_type", f"{SUBJECT_TYPE} only"))
    if not set((metadata.get("scope") or "").split()) <= set(SUPPORTED):
        found.append(FieldError("scope", f"of {', '.join(SUPPORTED)} only"))
    return found


@contextmanager
def _names_of_metadata() -> Iterator[None]:
    """Faults that the rules of the domain find are told under the names of a registration; a client that is gone has none."""
    try:
        yield
    except NotFound:
        raise InvalidToken from None
    except ValidationFailed as fault:
        raise ValidationFailed(
            [FieldError(NAMES.get(one.field, one.field), one.message) for one in fault.errors]
        ) from None
