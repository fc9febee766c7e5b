"""
Clients that register themselves and look after their registration (RFC 7591, RFC 7592, OpenID Connect DCR 1.0).

Who registers has a token that the operator handed out; who changes a registration has the one that came with it, of which
only the digest is stored. Such a client can sign users in and nothing more: no password grant, nothing for itself, no scope
and no resource but those that this server knows or the operator allows, since what others mean is up to resource servers that
never heard of the client.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from idp.domain.clients.clients import Client, Clients, digest_of_secret, new_secret
from idp.domain.errors import FieldError, InvalidToken, NotFound, ValidationFailed
from idp.services.clients.client_registration import ClientRegistration
from idp.services.clients.registration_metadata import NAMES, RegistrationPolicy


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
    policy: RegistrationPolicy

    def permit(self, presented: str) -> None:
        """Raises `InvalidToken` unless *presented* is the operator's token."""
        if not hmac.compare_digest(digest_of_secret(presented), self.initial_digest):
            raise InvalidToken

    async def register(self, metadata: Mapping[str, Any]) -> Issued:
        """*metadata* by the names of RFC 7591. Raises `ValidationFailed` under those names."""
        client_id, token = secrets.token_hex(12), new_secret()
        properties = self.policy.properties(client_id, metadata)
        properties |= {"registration_digest": digest_of_secret(token), "resources": tuple(self.policy.resources)}
        made = Client(client_id=client_id, **properties)
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
        properties = self.policy.properties(client.client_id, metadata)
        with _names_of_metadata():
            changed = await self.registration.change(client.client_id, **properties)
        return Issued(changed.client, presented, changed.secret)

    async def remove(self, client: Client) -> None:
        """With its sessions. Raises `InvalidToken` when it is gone already."""
        with _names_of_metadata():
            await self.registration.remove(client.client_id)


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
