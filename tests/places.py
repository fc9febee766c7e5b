"""Servers of others, on this machine: what clients publish, and what they are told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certificates import contexts, self_signed


@dataclass
class Place:
    """Answers every request with *answer*, bytes as they go over the wire, and keeps what it was asked."""

    port: int = 0
    answer: bytes = b""
    asked: list[bytes] = field(default_factory=list)
    stay: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None

    def says(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
        self.answer = "\r\n".join(lines).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(it.split(b":")[1]) for it in head.lower().split(b"\r\n") if b"content-length" in it), 0)
            self.asked.append(head + await reader.readexactly(length))
            writer.write(self.answer)
            await writer.drain()
            if self.stay is not None:
                await self.stay(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def place(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Place]:
    found = Place()
    server = await asyncio.start_server(found.serve, host, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server called *name*, and of who trusts it."""
    return contexts(self_signed(folder / f"{name}.pem", name))
