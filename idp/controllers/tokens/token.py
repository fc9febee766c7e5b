"""`POST /oauth2/token`."""

from __future__ import annotations

from collections.abc import Mapping

from idp.controllers.http.exchange import Exchange
from idp.controllers.sign_in.devices import DeviceTokens
from idp.controllers.tokens.client_endpoint import ClientEndpoint
from idp.domain.clients.clients import Clients
from idp.services.tokens.authorization_server import Answer, AuthorizationServer

PATH = "/oauth2/token"


class TokenEndpoint(ClientEndpoint):
    def __init__(self, server: AuthorizationServer, clients: Clients, devices: DeviceTokens) -> None:
        super().__init__(clients)
        self._server = server
        self._devices = devices

    async def ask(self, exchange: Exchange, headers: Mapping[str, str]) -> Answer:
        return await self._server.token(
            exchange.form, headers, address=exchange.address, device_token=self._devices.presented(exchange)
        )
