"""
Hypercorn's HTTP on connections of ours.

Its protocol code is used as it is. What differs is the connection underneath: the idle timer is a timer and not a task that
is cancelled, awaited and made anew for every request, and reading takes no task either: 6 % of a token's CPU on the whole.
Slow bodies are the edge's business (`idp.edge.bodies`); slow heads and connections that never said anything are closed here.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Any, cast

import h11
import structlog
from h11._headers import Headers
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.utils import wrap_app

from idp.controllers.http.answers import refusal_answer
from idp.domain.errors import HeadersTooLarge, Malformed, Refusal
from idp.edge.security_headers import completed

log = structlog.get_logger("idp.http")

HIGH_WATER = 64 * 1024
MOST_READ = 64 * 1024
# For a head from its first byte to its last, and for the first byte of a connection. A connection that has had its answer may
# wait for longer, `config.keep_alive_timeout`.
HEAD_SECONDS = 25.0
# A request may be on its way on a connection that looks idle when the server stops.
LINGER_SECONDS = 0.2

# h11 knows these statuses for what it cannot read; any other is the plain 400.
_UNREADABLE: dict[int, type[Refusal]] = defaultdict(lambda: Malformed, {431: HeadersTooLarge})


class Context(WorkerContext):
    """
    Once *leaving*, every answer announces that its connection closes, and no other connection is closed: its client could
    send a request at that moment, and not know whether it was taken (RFC 9112, section 9.6).
    """

    leaving = False


class Http1(H11Protocol):
    """HTTP/1.1 to the end: an upgrade in clear text (h2c) would pass the rules of a proxy that reads HTTP/1.1."""

    context: Context

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, Response) and self.keep_alive_requests < self.config.keep_alive_max_requests:
            ends = [(b"connection", b"close")] if self.context.leaving else []
            headers = _wire_headers([*event.headers, *ends, (b"date", _date(int(time.time())))])
            await self._send_h11_event(h11.Response(headers=headers, status_code=event.status_code))
        else:
            await super().stream_send(event)

    async def _create_stream(self, request: h11.Request) -> None:
        """Hypercorn would look for a WebSocket here; this server has none."""
        self.stream = HTTPStream(
            *(self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server),
            *(self.stream_send, STREAM_ID),
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii"),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _send_error_response(self, status_code: int) -> None:
        """What h11 cannot read reaches no application: answered here in the form that every other refusal has."""
        answer = refusal_answer(_UNREADABLE[status_code](), "", request_id := secrets.token_hex(8))
        length = (b"content-length", b"%d" % len(answer.body))
        ends = [(b"connection", b"close"), (b"x-request-id", request_id.encode()), length]
        headers = [*completed([*answer.headers, *ends]), (b"date", _date(int(time.time())))]
        await self._send_h11_event(h11.Response(headers=headers, status_code=answer.status))
        await self._send_h11_event(h11.Data(data=answer.body))
        await self._send_h11_event(h11.EndOfMessage())
        log.info("unreadable_request", status=answer.status, request_id=request_id)


class Connection(TCPServer):
    """One client's connection. *idle* while no request is under way: then it may be closed at any time."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._timer: asyncio.TimerHandle | None = None
        self._answered = self._head_begun = False
        self._unwritten = b""
        self.idle_task: Any = self  # what `run` starts and `_close` stops

    @property
    def idle(self) -> bool:
        return self._timer is not None

    async def restart(self, *_: Any) -> None:
        self._stop_timer()
        seconds = self.config.keep_alive_timeout if self._answered else HEAD_SECONDS
        self._head_begun, self._answered = not self._answered, True
        self._timer = self.loop.call_later(seconds, self.close_idle)

    async def stop(self) -> None:
        self._stop_timer()

    async def _read_data(self) -> None:
        chosen = self.protocol
        chosen.protocol = http1 = Http1(
            *(chosen.app, chosen.config, chosen.context, chosen.task_group, chosen.state),
            *(chosen.ssl, chosen.client, chosen.server, chosen.send),
        )
        with suppress(OSError):
            while not self.reader.at_eof():
                await http1.handle(RawData(await self.reader.read(MOST_READ)))
                if self._timer is not None and not self._head_begun and http1.connection.trailing_data[0]:
                    self._expect_head()
        await http1.handle(Closed())

    def _expect_head(self) -> None:
        """A byte now and then must not keep the connection: the time is that of the whole head."""
        self._stop_timer()
        self._head_begun = True
        self._timer = self.loop.call_later(HEAD_SECONDS, self.close_idle)

    def close_idle(self) -> None:
        self._stop_timer()
        self._flush()
        self.writer.close()  # reading ends with it, and with reading `run`

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            await (self.restart() if event.idle else self.stop())
        elif isinstance(event, Closed):
            await self._close()

    async def _write(self, data: bytes) -> None:
        if not self._unwritten:
            self.loop.call_soon(self._flush)
        self._unwritten += data
        if self.writer.transport.get_write_buffer_size() > HIGH_WATER:
            try:
                async with self.send_lock:
                    await self.writer.drain()
            except (ConnectionError, RuntimeError):
                await self.protocol.handle(Closed())

    def _flush(self) -> None:
        """Head and body, which come one after the other, in one call of the system."""
        data, self._unwritten = self._unwritten, b""
        if data and not self.writer.transport.is_closing():
            self.writer.write(data)

    async def _close(self) -> None:
        self._flush()
        await super()._close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    """RFC 9110, section 6.6.1; one text for all answers of a second."""
    return formatdate(second, usegmt=True).encode()


def _wire_headers(headers: list[tuple[bytes, bytes]]) -> Headers:
    """
    As h11 sends them. The edge has their names in lower case already; h11 would look at each of the 14 with three patterns,
    which is 3 % of a token. What it protects from is looked for at once.
    """
    everything = b"".join([name + value for name, value in headers])
    if b"\r" in everything or b"\n" in everything or b"\0" in everything:
        raise ValueError("a header holds a line break")
    return Headers([(name, name, value) for name, value in headers])


async def serve(
    app: Any,
    config: Config,
    listener: socket.socket,
    until: Callable[[], Awaitable[Any]],
    settle: Callable[[], float] = float,
) -> None:
    """
    Serve *app* on *listener* until *until* returns, which is called when all is open, and *settle* seconds more, in which
    whoever routes requests here may notice; then end what is under way, in `config.graceful_timeout` seconds at most.

    Raises what the application's start-up raised.
    """
    loop, state = asyncio.get_running_loop(), cast("Any", {})
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    lifespan = Lifespan(wrapped, config, loop, state)
    lifespan_task = loop.create_task(lifespan.handle_lifespan())
    await lifespan.wait_for_startup()
    if lifespan_task.done():
        lifespan_task.result()
    context = Context(None)
    open_connections: dict[asyncio.Task[Any], Connection] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        open_connections[task] = connection = Connection(wrapped, loop, config, context, state, reader, writer)
        task.add_done_callback(open_connections.pop)
        await connection

    server = await asyncio.start_server(connected, backlog=config.backlog, sock=listener)
    try:
        await until()
        context.leaving = True
        await asyncio.sleep(settle())
    finally:
        context.leaving = True
        await _stop_listening(server, listener, connected)
        await _drained(open_connections, config.graceful_timeout)
        await lifespan.wait_for_shutdown()
        await lifespan_task


async def _stop_listening(server: asyncio.Server, listener: socket.socket, connected: Callable[..., Any]) -> None:
    """Who has connected by now is served: with the last process that listens, the system drops its queue."""
    waiting = []
    with suppress(OSError):  # BlockingIOError: the queue is empty
        while True:
            waiting.append(listener.accept()[0])
    server.close()
    for client in waiting:
        client.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(partial(_protocol, connected), client)


def _protocol(connected: Callable[..., Any]) -> asyncio.StreamReaderProtocol:
    """As `asyncio.start_server` makes them."""
    return asyncio.StreamReaderProtocol(asyncio.StreamReader(), connected)


async def _drained(connections: dict[asyncio.Task[Any], Connection], deadline: float) -> None:
    if connections:
        await asyncio.wait(list(connections), timeout=LINGER_SECONDS)
    for connection in connections.values():
        if connection.idle:
            connection.close_idle()
    if connections:
        await asyncio.wait(list(connections), timeout=deadline)
