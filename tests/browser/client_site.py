"""The pages of a client, on another site than ours: 127.0.0.1 where we are localhost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

BACK = "<!doctype html><html lang=en><title>Client</title><h1>Back at the client</h1></html>"


@dataclass
class ClientSite:
    """*pages*: by path; every other path has the one to which users come back."""

    origin: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def callback(self) -> str:
        return f"{self.origin}/callback"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1].partition("?")[0]
            body = self.pages.get(path, BACK).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[ClientSite]:
    site = ClientSite()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield site
