"""
`GET /metrics`: Prometheus text, for who operates the server and nobody else.

With a token configured the caller must present it. Without one only a caller on this machine is answered: the other end of
the connection, not what a header says of it; everybody else finds nothing here. A request that came through a proxy is
from elsewhere, whatever its connection says, and so is one for another host: a page that made its own name resolve to
this machine.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from idp.controllers.http.answers import HttpAnswer
from idp.controllers.http.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from idp.domain.errors import InvalidToken, MethodNotAllowed, NotFound

PATH = "/metrics"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
FORWARDED = (b"x-forwarded-", b"forwarded", b"x-real-ip", b"via")  # how the names begin


class MetricsEndpoint:
    """Plain ASGI: only here is the other end of the connection known."""

    access = "metrics"

    def __init__(self, text: Callable[[], Awaitable[bytes]], token: str | None) -> None:
        self._text = text
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        self._check(exchange, (scope.get("client") or ("", 0))[0])
        if exchange.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        headers = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store")]
        await HttpAnswer(200, await self._text(), headers).send(send)

    def _check(self, exchange: Exchange, peer: str) -> None:
        if self._token is None:
            if not _from_this_machine(exchange, peer):
                raise NotFound
            return
        presented = exchange.headers.get(b"authorization", [])
        scheme, _, token = presented[0].partition(b" ") if len(presented) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
            raise InvalidToken("Send the token of IDP_METRICS_TOKEN as a bearer token.")


def _from_this_machine(exchange: Exchange, peer: str) -> bool:
    through_proxy = any(name.startswith(FORWARDED) for name in exchange.headers)
    return not through_proxy and _loopback(peer) and _names_this_machine(exchange.header(b"host") or "")


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _loopback(name)


def _loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
