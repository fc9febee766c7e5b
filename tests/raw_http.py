"""HTTP by hand, for requests that no client library would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LIMIT = 60.0


@dataclass
class RawAnswer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)


class RawConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, *, method: str = "GET") -> RawAnswer | None:
        """The next one; None when the connection ended without. A guard against hanging is all that its limit is."""
        async with asyncio.timeout(LIMIT):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
            pairs = [line.partition(":") for line in lines]
            answer = RawAnswer(int(status_line.split()[1]), [(name.lower(), value.strip()) for name, _, value in pairs])
            if method != "HEAD" and answer.status not in (204, 304):
                answer.body = await self._reader.readexactly(int(answer.header("content-length") or 0))
            return answer

    async def ended(self) -> bool:
        """Whether the server closes this connection, with nothing more on it."""
        async with asyncio.timeout(LIMIT):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    async def rest(self) -> bytes:
        """All that comes until the connection ends."""
        async with asyncio.timeout(LIMIT):
            return await self._reader.read()

    def end_of_request(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


async def opened(url: str) -> RawConnection:
    parts = urlsplit(url)
    return RawConnection(*await asyncio.open_connection(parts.hostname, parts.port))


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[RawConnection]:
    raw = await opened(url)
    try:
        yield raw
    finally:
        raw.close()


async def exchanged(url: str, request: bytes) -> RawAnswer | None:
    """The answer to *request* on a connection of its own."""
    async with connection(url) as raw:
        await raw.send(request)
        return await raw.answer(method=request.split(b" ", 1)[0].decode("latin-1"))
