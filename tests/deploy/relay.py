"""A port of this machine in front of a Unix socket: who may not enter the socket's folder comes in through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def relayed(socket_path: str) -> AsyncIterator[int]:
    """The port, until the end of the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            beyond_reader, beyond_writer = await asyncio.open_unix_connection(socket_path)
            await asyncio.gather(_pump(reader, beyond_writer), _pump(beyond_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
