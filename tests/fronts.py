"""A proxy in front of a server, as small as it can be: one request a connection, its head rewritten, the rest passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from world import World

BELOW = "/id"
REGISTRATION_TOKEN = "a-registration-token-for-the-tests"


@dataclass
class Below:
    """A node whose issuer has the path `BELOW`, and the proxy in front of it, which is the issuer's host."""

    world: World
    front: Front


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
    open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open[writer] = asyncio.current_task()
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            passed = self._rewritten(head.decode("latin-1"))
            self.passed.append(passed)
            beyond_reader, beyond_writer = await asyncio.open_connection("127.0.0.1", self.to)
            with closing(beyond_writer):
                beyond_writer.write(passed.encode("latin-1"))
                async with asyncio.TaskGroup() as both:
                    sending = both.create_task(_pump(reader, beyond_writer))
                    await _pump(beyond_reader, writer)
                    sending.cancel()
        writer.close()
        del self.open[writer]

    async def close(self) -> None:
        """Browsers keep connections open that they have not used yet."""
        waiting = [task for task in self.open.values() if task is not None]
        for writer, task in self.open.items():
            if task is not None:
                task.cancel()
            writer.close()
        await asyncio.gather(*waiting, return_exceptions=True)

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
        await front.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
