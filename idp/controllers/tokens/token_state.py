"""`POST /oauth2/revoke` (RFC 7009) and `POST /oauth2/introspect` (RFC 7662)."""

from __future__ import annotations

from collections.abc import Mapping

from idp.controllers.http.answers import Headers
from idp.controllers.http.exchange import Exchange
from idp.controllers.tokens.client_endpoint import ClientEndpoint
from idp.domain.clients.clients import Client, Clients
from idp.services.tokens.authorization_server import Answer
from idp.services.tokens.introspection import Introspection
from idp.services.tokens.revocation import Revocation

REVOKE_PATH = "/oauth2/revoke"
INTROSPECT_PATH = "/oauth2/introspect"


class RevocationEndpoint(ClientEndpoint):
    def __init__(self, revocation: Revocation, clients: Clients) -> None:
        super().__init__(clients)
        self._revocation = revocation

    async def ask(self, exchange: Exchange, headers: Mapping[str, str]) -> Answer:
        return await self._revocation.answer(exchange.form, headers, address=exchange.address)


class IntrospectionEndpoint(ClientEndpoint):
    """For servers, which have a secret to keep: no page of any origin reads its answers."""

    def __init__(self, introspection: Introspection, clients: Clients) -> None:
        super().__init__(clients)
        self._introspection = introspection

    async def ask(self, exchange: Exchange, headers: Mapping[str, str]) -> Answer:
        return await self._introspection.answer(exchange.form, headers, address=exchange.address)

    async def cors(self, exchange: Exchange, client: Client | None) -> Headers:
        return []
