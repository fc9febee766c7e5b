"""
Requests to addresses that clients have registered, without a way into the networks around this server.

The name is resolved here, its addresses are judged, and one of those judged is connected to: a name that resolves to
something else a moment later gains nothing. TLS is verified against the name. No redirect is followed, no proxy of the
environment is used, nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore

from idp.domain.clients.redirect_uris import LOOPBACK
from idp.domain.operation.outgoing import OutgoingFailed
from idp.gateways.addresses import Reach

DEADLINE = 5.0  # seconds, for a whole exchange
LARGEST_ANSWER = 64 * 1024
CONNECTIONS = 20
FORM = "application/x-www-form-urlencoded"

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@lru_cache(maxsize=1)
def system_authorities() -> ssl.SSLContext:
    """Read once, which takes 50 ms: forked processes find them read."""
    return ssl.create_default_context()


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of a name that *reach* allows, the first that answers."""

    def __init__(self, reach: Reach, resolve: Resolve) -> None:
        self._reach = reach
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        allowed = [address for address in await self._resolve(host, port) if self._reach.allows(address)]
        fault: Exception = OutgoingFailed("no address of that name may be called")
        for address in allowed:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                fault = refused
        raise fault


class GuardedOutgoing:
    """*tls* has the authorities to trust, those of the system unless given. Until `close`."""

    def __init__(
        self,
        reach: Reach,
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolved,
        deadline: float = DEADLINE,
    ) -> None:
        self._deadline = deadline
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or system_authorities(),
            max_connections=CONNECTIONS,
            keepalive_expiry=deadline,
            network_backend=GuardedBackend(reach, resolve),
        )

    async def get(self, url: str, *, accept: str) -> bytes:
        async with self._answered("GET", url, {"Accept": accept}) as answer:
            if answer.status != 200:
                raise OutgoingFailed(f"answered {answer.status}")
            body = bytearray()
            async for part in answer.aiter_stream():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise OutgoingFailed(f"answered more than {LARGEST_ANSWER} bytes")
            return bytes(body)

    async def post(self, url: str, form: Mapping[str, str]) -> int:
        async with self._answered("POST", url, {"Content-Type": FORM}, urlencode(form).encode()) as answer:
            return int(answer.status)

    async def close(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def _answered(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpcore.Response]:
        target, host = _target(url)
        common = {"Host": host, "Accept-Encoding": "identity", "User-Agent": "idp"}
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._pool.stream(method, target, headers=list((common | headers).items()), content=content) as answer,
            ):
                yield answer
        except TimeoutError:
            raise OutgoingFailed(f"no answer within {self._deadline} seconds") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError) as fault:
            # Not chained: the text of the first may be 100 KB of the other side's choice, and a stack repeats it whole.
            raise OutgoingFailed(f"{type(fault).__name__}: {fault}") from None


def _target(url: str) -> tuple[httpcore.URL, str]:
    """What to ask, and the Host header. Raises `OutgoingFailed` for what is no place to ask at all."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OutgoingFailed("no URL") from None
    secure = parts.scheme == "https"
    if not host or not url.isascii() or not url.isprintable() or " " in url or "@" in parts.netloc:
        raise OutgoingFailed("no URL to ask")
    if not secure and not (parts.scheme == "http" and host in LOOPBACK):
        raise OutgoingFailed("asked over https only")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = httpcore.URL(scheme=parts.scheme, host=host, port=port or (443 if secure else 80), target=path)
    return target, parts.netloc
