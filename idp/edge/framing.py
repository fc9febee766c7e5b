"""
Requests that one server in a row of them may read in another way than the next (RFC 9112, section 11.2).

What ends where must be beyond doubt, and so must whom a request is for: a second request could hide in the first, and the
rules of a proxy could have looked at another host or another path. Hypercorn refuses most of this itself; Granian does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any
from urllib.parse import unquote

from idp.controllers.http.exchange import Exchange, Receive, Scope, Send
from idp.domain.errors import HeadersTooLarge, Malformed, MethodNotAllowed, NotFound

MOST_HEADERS = 16 * 1024  # bytes of names, values and the target together
AMBIGUOUS = {b"content-length", b"transfer-encoding"}
ADMIN = "/admin/"
# RFC 3986, section 3.2, without a user. An empty one is for targets without a host, which there are none of in HTTP.
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%-]+(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
ABSOLUTE = re.compile(rb"(https?)://([^/?#@]*)(/.*)?", re.IGNORECASE | re.DOTALL)
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
LOOPBACK = ("127.0.0.1", "::1")


class Ambiguous(Malformed):
    """Nobody can tell what follows on the connection, or whether the next server read the same: it ends."""


class Authorities:
    """By which names this server is asked: that of *issuer*, and the address that a connection has reached."""

    def __init__(self, issuer: str) -> None:
        scheme, _, authority = issuer.encode().partition(b"://")
        self._issuer = _plain(scheme, authority.partition(b"/")[0])

    def are(self, scheme: bytes, authority: bytes, server: Sequence[object] | None) -> bool:
        return _plain(scheme, authority) == self._issuer or authority.lower() in _reached(server)


def resolve(scope: Scope, authorities: Authorities) -> None:
    """
    Give *scope* the path of a target in absolute form, as a client sends it to a proxy and every server must take it (RFC
    9112, section 3.2.2), if the host in it is ours; `Host` is not looked at then. Any other target stays, for `check`.
    """
    found = ABSOLUTE.fullmatch(scope.get("raw_path") or b"")
    if found is not None and authorities.are(found[1], found[2], scope.get("server")):
        path = found[3] or b"/"
        scope["raw_path"], scope["path"] = path, unquote(path.decode("ascii", "replace"))


class AbsoluteForm:
    """`resolve` before *inside*, which looks at paths before the edge does."""

    def __init__(self, inside: Any, authorities: Authorities) -> None:
        self._inside = inside
        self._authorities = authorities

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/"):
            resolve(scope, self._authorities)
        await self._inside(scope, receive, send)


def check(scope: Scope, exchange: Exchange) -> None:
    """Raises the `Refusal` for a request that is not to be looked at any further."""
    if scope.get("scheme", "http") == "http" and not scope.get("http_version", "1.1").startswith("1"):
        # By an upgrade in clear text a request would pass a proxy whose rules speak HTTP/1.1.
        raise Malformed("This server speaks HTTP/1.1 without TLS.")
    if sum(map(len, chain.from_iterable(scope["headers"]))) + len(exchange.path) + len(exchange.query) > MOST_HEADERS:
        raise HeadersTooLarge
    if not exchange.method.isupper():
        raise MethodNotAllowed  # methods are case-sensitive (RFC 9110, section 9.1), whatever the next reader makes of "get"
    if not exchange.path.startswith("/"):
        # As `resolve` has left it.
        raise Ambiguous("This server is not the one that the request names.") if "://" in exchange.path else NotFound
    if "\0" in exchange.path:
        raise NotFound  # nothing here is called so, and a NUL in an event or a statement would be an error of the database
    if exchange.path.startswith(ADMIN) and not scope.get("raw_path", b"").startswith(ADMIN.encode()):
        raise NotFound  # "/%61dmin/users" would pass a proxy that keeps this prefix to itself
    _check_length(exchange)
    _check_host(scope, exchange)


def _check_length(exchange: Exchange) -> None:
    codings = exchange.headers.get(b"transfer-encoding")
    if codings is None:
        return
    if b"content-length" in exchange.headers:
        raise Ambiguous("Send either Content-Length or Transfer-Encoding (RFC 9112, section 6.3).")
    if len(codings) != 1 or codings[0].strip().lower() != b"chunked":
        # "chunked, chunked" and "gzip, chunked" end at different places for different readers.
        raise Ambiguous("The only Transfer-Encoding that is read here is chunked, once.")


def _check_host(scope: Scope, exchange: Exchange) -> None:
    hosts = exchange.headers.get(b"host", [])
    if not any(hosts) and scope.get("http_version") != "1.1":
        return
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):  # Granian makes up an empty one where there is none
        raise Ambiguous("Send one Host header, with a host (RFC 9112, section 3.2).")


def _plain(scheme: bytes, authority: bytes) -> bytes:
    return authority.lower().removesuffix(DEFAULT_PORTS.get(scheme.lower(), b""))


def _reached(server: Sequence[object] | None) -> list[bytes]:
    """How the address of the socket is written, *server* as ASGI has it: (host, port)."""
    if not server:
        return []
    host, port = str(server[0]), server[1]
    names = [f"[{host}]" if ":" in host else host, *(["localhost"] if host in LOOPBACK else [])]
    return [f"{name}:{port}".encode().lower() for name in names]
