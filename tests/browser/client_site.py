"""The pages of a client, on another site than ours: 127.0.0.1 where we are localhost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

BACK = "<!doctype html><html lang=en><title>Client</title><h1>Back at the client</h1></html>"


@dataclass
class ClientSite:
    """*pages*: by path; every other path has the one to which users come back. *onward*: path → where it redirects to."""

    origin: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    onward: dict[str, str] = field(default_factory=dict)

    @property
    def callback(self) -> str:
        return f"{self.origin}/callback"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1].partition("?")[0]
            body = self.pages.get(path, BACK).encode()
            status = f"303 See Other\r\nlocation: {self.onward[path]}" if path in self.onward else "200 OK"
            writer.write(
                b"HTTP/1.1 %b\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (status.encode(), len(body), body)
            )
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[ClientSite]:
    """*host*: another name of the loopback address, by which the site calls itself."""
    site = ClientSite()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0, ssl=tls)
    site.origin = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield site
