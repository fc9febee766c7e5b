"""Which clients a user has allowed something, and taking that back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.domain.clients.clients import Clients
from idp.domain.errors import NotFound
from idp.domain.sessions.sessions import RevokedReason
from idp.domain.sign_in.consents import Consent, Consents
from idp.services.sessions.sessions import SessionService


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """*name* is the client's id when the client is gone. *resources*: where it may do some of that, beside this server."""

    client_id: str
    name: str
    logo_uri: str | None
    client_uri: str | None
    scopes: Sequence[str]
    resources: Sequence[str]
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnApplications:
    consents: Consents
    clients: Clients
    sessions: SessionService

    async def list_of(self, user_id: UUID) -> Sequence[Application]:
        """Latest first."""
        found = []
        for consent in await self.consents.list_of(user_id):
            client = await self.clients.find(consent.client_id)
            found.append(
                Application(
                    client_id=consent.client_id,
                    name=client.name if client else consent.client_id,
                    logo_uri=client.logo_uri if client else None,
                    client_uri=client.client_uri if client else None,
                    scopes=_scopes(consent),
                    resources=sorted(consent.resource_scopes),
                    granted_at=consent.updated_at,
                )
            )
        return found

    async def withdraw(self, user_id: UUID, client_id: str) -> None:
        """The client's sessions of this user end, durably before this returns. Raises `NotFound`."""
        ended = await self.consents.withdraw(user_id, client_id)
        if ended is None:
            raise NotFound
        await self.sessions.entomb(ended, RevokedReason.CONSENT_WITHDRAWN)


def _scopes(consent: Consent) -> Sequence[str]:
    """Each once, wherever it is allowed."""
    allowed = (consent.scope, *consent.resource_scopes.values())
    return list(dict.fromkeys(scope for scopes in allowed for scope in scopes.split()))
