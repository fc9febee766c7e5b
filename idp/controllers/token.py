"""
`POST /oauth2/token`: plain ASGI, past Quart, which would cost a quarter of a signature.

The answer may be read by the pages of the client that asked: its own registered origins, no others (Fetch, CORS).
"""

from __future__ import annotations

import orjson

from idp.controllers.answers import EXPOSED_HEADERS, Headers, HttpAnswer, refusal_answer
from idp.controllers.devices import HEADER, presented_device
from idp.controllers.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from idp.domain.clients import Client, Clients
from idp.domain.errors import Malformed, MethodNotAllowed, TooMany, Unavailable
from idp.services.authorization_server import AuthorizationServer

PATH = "/oauth2/token"
VARY = (b"vary", b"Origin")


class TokenEndpoint:
    access = "client"

    def __init__(self, server: AuthorizationServer, clients: Clients) -> None:
        self._server = server
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        if exchange.method != "POST":
            raise MethodNotAllowed(["POST", "OPTIONS"])
        if exchange.query:
            raise Malformed("Send parameters in the body: a query ends up in logs.")
        await (await self._answer(exchange)).send(send)

    async def _answer(self, exchange: Exchange) -> HttpAnswer:
        authorization = exchange.headers.get(b"authorization", [])
        if len(authorization) > 1:
            raise Malformed("Send one Authorization header.")
        headers = {"Authorization": authorization[0].decode("latin-1")} if authorization else {}
        try:
            answer = await self._server.token(
                exchange.form, headers, address=exchange.address, device_token=presented_device(exchange)
            )
        except (Unavailable, TooMany) as refusal:
            refused = refusal_answer(refusal, PATH, exchange.request_id)
            # A page must be able to tell "try again" from a broken network, also when the client cannot be looked up.
            return HttpAnswer(refused.status, refused.body, refused.headers + await self._cors(exchange, None))
        extra = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        extra = [header for header in extra if header[0] not in (b"content-type", b"pragma", b"cache-control")]
        common = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if answer.device_token is not None:
            common.append((HEADER, answer.device_token.encode()))
        cors = await self._cors(exchange, answer.client)
        return HttpAnswer(answer.status, orjson.dumps(answer.body), [*common, *extra, *cors])

    async def _cors(self, exchange: Exchange, client: Client | None) -> Headers:
        origin = exchange.header(b"origin")
        if origin is None:
            return []
        allowed = frozenset(client.origins) if client is not None else await self._clients.origins()
        if origin not in allowed:
            return [VARY]
        exposed = (b"access-control-expose-headers", EXPOSED_HEADERS)
        return [(b"access-control-allow-origin", origin.encode("latin-1")), exposed, VARY]
