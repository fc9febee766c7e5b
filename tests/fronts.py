"""A proxy in front of a server, as small as it can be: one request a connection, its head rewritten, the rest passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Front:
    """
    *drops*: how the names of headers begin, in lower case, that do not pass. *strips*: what is taken off paths. *passed*: the
    heads of requests as they went on.
    """

    to: int = 0
    port: int = 0
    drops: str = "\0"
    strips: str = ""
    passed: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            beyond_reader, beyond_writer = await asyncio.open_connection("127.0.0.1", self.to)
            self.passed.append(self._rewritten(head.decode("latin-1")))
            beyond_writer.write(self.passed[-1].encode("latin-1"))
            sending = asyncio.create_task(_pump(reader, beyond_writer))
            await _pump(beyond_reader, writer)
            sending.cancel()
            beyond_writer.close()
        writer.close()

    def _rewritten(self, head: str) -> str:
        request, *headers = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, version = request.split(" ")
        if self.strips and target.startswith(self.strips):
            target = "/" + target.removeprefix(self.strips).lstrip("/")
        kept = [it for it in headers if not it.lower().startswith(("connection:", self.drops))]
        return "\r\n".join([f"{method} {target} {version}", *kept, "Connection: close", "", ""])


@asynccontextmanager
async def in_front(**properties: str) -> AsyncIterator[Front]:
    """Its port is known before what it leads to, which may have to name it."""
    front = Front(**properties)  # type: ignore[arg-type]
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
