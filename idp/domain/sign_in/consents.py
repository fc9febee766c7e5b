"""What users have allowed clients, so that they are asked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from idp.domain.clients.clients import Client
from idp.domain.sessions.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """
    *scope* is for this server, *resource_scopes* by resource (RFC 8707): what is allowed at one is allowed at no other.

    *shown*: `digest_of_shown` when it was allowed; None of a client that administrators look after.
    """

    user_id: UUID
    client_id: str
    scope: str
    resource_scopes: Mapping[str, str] = field(default_factory=dict)
    shown: str | None = None
    created_at: datetime
    updated_at: datetime

    def scopes_at(self, resource: str | None) -> frozenset[str]:
        return frozenset((self.scope if resource is None else self.resource_scopes.get(resource, "")).split())


# Of a client: what the page that asks for consent shows, and where its answers lead.
SHOWN = (
    *("name", "logo_uri", "client_uri", "policy_uri", "tos_uri"),
    *("redirect_uris", "application_type"),  # of a native client any port of a loopback address will do
)


def digest_of_shown(client: Client) -> str | None:
    """
    None for a client that administrators look after: they may change its name without everybody being asked anew.

    Who registered itself could be allowed something as one application, and become another.
    """
    if not client.registered_itself:
        return None
    return hashlib.sha256(repr([getattr(client, name) for name in SHOWN]).encode()).hexdigest()


def allowed_scopes(consent: Consent | None, client: Client, resource: str | None) -> frozenset[str]:
    """What *client* may have without asking again, as it is now. *resource* None: at this server."""
    if consent is None or (client.registered_itself and consent.shown != digest_of_shown(client)):
        return frozenset()
    return consent.scopes_at(resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a user has allowed just now. *resource*, *shown* as in `Consent`."""

    scopes: Sequence[str]
    resource: str | None = None
    shown: str | None = None


class Consents(Protocol):
    async def find(self, user_id: UUID, client_id: str) -> Consent | None: ...

    async def grant(self, user_id: UUID, client_id: str, allowed: Allowed) -> None:
        """In addition to what was allowed before, unless something else was shown then: in place of that."""

    async def withdraw(self, user_id: UUID, client_id: str) -> Sequence[Session] | None:
        """With the client's sessions of that user, which are given back. None when there is no consent."""

    async def list_of(self, user_id: UUID) -> list[Consent]:
        """Latest first."""
