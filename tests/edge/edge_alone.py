"""
The edge around an application that says what it was asked: `alone` as our server has it, and `application` as others do,
which run in a process of their own and are given its name.
"""

from __future__ import annotations

import json
from typing import Any

from idp.controllers.http.exchange import SCOPE_KEY
from idp.edge.addresses import Addresses
from idp.edge.cors import Cors
from idp.edge.edge import Edge
from idp.edge.foreign_server import ForeignServer
from idp.edge.framing import Authorities

ISSUER = "https://id.example.com"


async def said(scope: Any, receive: Any, send: Any) -> None:
    exchange = scope[SCOPE_KEY]
    told = {"path": exchange.path, "query": exchange.query.decode(), "form": exchange.form}
    body = json.dumps(told).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def nobody() -> frozenset[str]:
    return frozenset()


def ignored(*_: Any, **__: Any) -> None:
    """Neither logs nor counts."""


EDGE = Edge(
    said,
    addresses=Addresses([]),
    authorities=Authorities(ISSUER),
    cors=Cors(token_origins=nobody, rest_origins=frozenset()),
    log_request=ignored,
    count=ignored,
)


async def alone(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await EDGE(scope, receive, send)


application = ForeignServer(alone)
