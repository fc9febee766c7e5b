"""How HTTP/1.1 is read and written (RFC 9112), whatever serves behind it: over a socket, with applications of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import on_a_socket
import pytest
from raw_http import RawConnection, connection

from idp.serving import http_server

HOST = b"Host: x\r\n"
Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


def post(head: bytes, body: bytes) -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HOST + head + b"\r\n" + body


NEXT = b"GET /b HTTP/1.1\r\n" + HOST + b"\r\n"


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[str]:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await application(scope, receive, send)

    async with on_a_socket.served(app) as url:
        yield url


def answering(*parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), status: int = 200) -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return application


async def exchange(url: str, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of all that comes until the connection ends."""
    async with connection(url) as raw:
        await raw.send(request)
        return await whole(raw)


async def whole(raw: RawConnection) -> tuple[bytes, bytes]:
    head, _, body = (await raw.rest()).partition(b"\r\n\r\n")
    return head.lower(), body


LAST = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "framing", "body"),
    [
        (LAST, b"transfer-encoding: chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        (LAST.replace(b"GET", b"HEAD"), b"transfer-encoding: chunked", b""),
        (b"GET / HTTP/1.0\r\n\r\n", b"connection: close", b"abc"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"connection: close", b"abc"),
    ],
)
async def test_an_answer_without_a_length_goes_in_chunks_or_until_the_connection_ends(
    request_bytes: bytes, framing: bytes, body: bytes
) -> None:
    async with served(answering(b"ab", b"c")) as url:
        head, written = await exchange(url, request_bytes)

    assert framing in head.split(b"\r\n")
    assert head.count(b"connection: close") == 1
    assert written == body


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_says_nothing_of_one(status: int) -> None:
    async with served(answering(status=status)) as url:
        head, body = await exchange(url, LAST)

    assert head.startswith(b"http/1.1 %d " % status)
    assert b"transfer-encoding" not in head
    assert body == b""


@pytest.mark.parametrize("parts", [(b"ab",), (b"abcd",), ()])
async def test_an_answer_of_another_length_than_it_says_ends_its_connection(parts: tuple[bytes, ...]) -> None:
    async with served(answering(*parts, headers=((b"content-length", b"3"),))) as url:
        head, body = await exchange(url, NEXT)

    assert b"connection: close" not in head
    assert len(body) < 3


async def test_a_header_with_a_line_break_is_not_written() -> None:
    async with served(answering(headers=((b"location", b"/a\r\nset-cookie: b=c"),))) as url:
        head, _ = await exchange(url, NEXT)

    assert b"set-cookie" not in head
    assert not head.startswith(b"http/1.1 200")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while (event := await receive())["more_body"]:
        body += event["body"]
    await answering(body, headers=((b"content-length", b"%d" % len(body)),))(scope, receive, send)


async def test_who_waits_for_a_word_before_the_body_gets_it() -> None:
    """RFC 9110, section 10.1.1."""
    async with served(echo) as url, connection(url) as raw:
        await raw.send(post(b"Content-Length: 2\r\nExpect: 100-continue\r\n", b""))
        word = await raw.answer()
        await raw.send(b"ab")
        answer = await raw.answer()

    assert [word and word.status, answer and (answer.status, answer.body)] == [100, (200, b"ab")]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_with_a_wish_for_another_protocol_a_body_is_a_body(protocol: bytes) -> None:
    """Java's client wishes for h2c with its first request, whatever that is."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
    async with served(echo) as url, connection(url) as raw:
        await raw.send(post(upgrade + b"Content-Length: %d\r\n" % len(NEXT), NEXT) + NEXT)
        answers = [await raw.answer() for _ in range(2)]

    assert [answer and (answer.status, answer.body) for answer in answers] == [(200, NEXT), (200, b"")]


async def test_an_answer_before_the_body_has_come_ends_the_connection() -> None:
    """What is still on its way must not be taken for a request."""
    async with served(answering(headers=((b"content-length", b"0"),))) as url, connection(url) as raw:
        await raw.send(post(b"Content-Length: 10\r\n", b""))
        head, _ = await whole(raw)

    assert head.startswith(b"http/1.1 200")


async def test_a_body_that_nobody_reads_is_not_taken_for_a_request() -> None:
    async with served(answering(headers=((b"content-length", b"0"),))) as url, connection(url) as raw:
        await raw.send(post(b"Content-Length: %d\r\n" % len(NEXT), NEXT) + NEXT)
        first, second = await raw.answer(), await raw.answer()
        await raw.send(LAST)
        third = await raw.answer()
        ended = await raw.ended()

    assert [answer and answer.status for answer in (first, second, third)] == [200] * 3
    assert ended


async def test_requests_wait_for_each_other_and_what_cannot_be_read_for_them() -> None:
    paths, going = [], asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        await going.wait()
        await answering(headers=((b"content-length", b"0"),))(scope, receive, send)

    async with served(slow) as url, connection(url) as raw:
        await raw.send(NEXT + NEXT.replace(b"/b", b"/c") + b"nothing\r\n\r\n")
        await asyncio.sleep(0.05)
        at_first = list(paths)
        going.set()
        answers = [await raw.answer() for _ in range(3)]

    assert at_first == ["/b"]
    assert paths == ["/b", "/c"]
    assert [answer and answer.status for answer in answers] == [200, 200, 400]


# Connections that say nothing, or little.


async def silent(raw: RawConnection) -> None:
    """Nothing at all."""


async def half(raw: RawConnection) -> None:
    await raw.send(b"GET /a HTTP/1.1\r\nHost: x\r\n")


async def little_by_little(raw: RawConnection) -> None:
    with suppress(ConnectionError):
        while True:
            await raw.send(b"a: b\r\n" if raw in begun else b"GET /a HTTP/1.1\r\n")
            begun.add(raw)
            await asyncio.sleep(0.01)


async def after_an_answer(raw: RawConnection) -> None:
    await raw.send(NEXT)
    await raw.answer()
    await little_by_little(raw)


begun: set[RawConnection] = set()


@pytest.mark.parametrize("saying", [silent, half, little_by_little, after_an_answer])
async def test_a_head_has_a_time_and_a_connection_between_two_requests_another(
    saying: Callable[[RawConnection], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """IN16: while who waits for its next request may do so, as proxies do."""
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    async with served(answering(headers=((b"content-length", b"0"),))) as url, connection(url) as patient:
        await patient.send(NEXT)
        await patient.answer()
        async with connection(url) as raw:
            spoken = asyncio.create_task(saying(raw))
            ended = await raw.ended() if saying is not after_an_answer else await ended_later(raw, spoken)
            spoken.cancel()
        await patient.send(LAST)
        answer = await patient.answer()

    assert ended
    assert answer is not None
    assert answer.status == 200


async def ended_later(raw: RawConnection, spoken: asyncio.Task[None]) -> bool:
    """The answer is read by who speaks, which ends when it can say no more."""
    async with asyncio.timeout(30):
        await asyncio.wait([spoken])
    return await raw.ended()
