"""
An endpoint that clients post a form to: plain ASGI, past Quart, which would cost a quarter of a signature.

The answer may be read by the pages of the client that asked: its own registered origins, no others (Fetch, CORS).
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from idp.controllers.http.answers import EXPOSED_HEADERS, Headers, HttpAnswer, refusal_answer
from idp.controllers.http.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from idp.controllers.sign_in.devices import HEADER
from idp.domain.clients.clients import Client, Clients
from idp.domain.errors import Malformed, MethodNotAllowed, TooMany, Unavailable
from idp.services.tokens.authorization_server import Answer

VARY = (b"vary", b"Origin")
OWN = (b"content-type", b"pragma", b"cache-control")


class ClientEndpoint:
    """Subclasses say what is asked: `ask`."""

    access = "client"

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def ask(self, exchange: Exchange, headers: Mapping[str, str]) -> Answer:
        """*headers* with at most `Authorization`. May raise `TooMany` and `Unavailable`."""
        raise NotImplementedError

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
            answer = await self.ask(exchange, headers)
        except (Unavailable, TooMany) as refusal:
            refused = refusal_answer(refusal, exchange.path, exchange.request_id)
            # A page must be able to tell "try again" from a broken network, also when the client cannot be looked up.
            return HttpAnswer(refused.status, refused.body, refused.headers + await self.cors(exchange, None))
        extra = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        common = [(b"cache-control", b"no-store"), *(header for header in extra if header[0] not in OWN)]
        if answer.device_token is not None:
            common.append((HEADER, answer.device_token.encode()))
        common += await self.cors(exchange, answer.client)
        if answer.body is None:
            return HttpAnswer(answer.status, b"", common)
        return HttpAnswer(answer.status, orjson.dumps(answer.body), [(b"content-type", b"application/json"), *common])

    async def cors(self, exchange: Exchange, client: Client | None) -> Headers:
        """*client*: the one that authenticated, if any did."""
        origin = exchange.header(b"origin")
        if origin is None:
            return []
        allowed = frozenset(client.origins) if client is not None else await self._clients.origins()
        if origin not in allowed:
            return [VARY]
        exposed = (b"access-control-expose-headers", EXPOSED_HEADERS)
        return [(b"access-control-allow-origin", origin.encode("latin-1")), exposed, VARY]
