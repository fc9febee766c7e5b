"""Requests that one server in a row may read otherwise than the next (IN7, IN12, T9–T12), by hand over a socket."""

from __future__ import annotations

import json

import pytest
from raw_http import connection, exchanged
from world import PASSWORD, World

FORM = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SECOND = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("path", [b"/oauth2/token", b"/auth/login", b"/health", b"/nowhere"])
async def test_a_length_and_chunks_together_are_refused_and_the_connection_ends(
    world: World, path: bytes, order: int
) -> None:
    """T9, IN12; Netty CVE-2026-42581. RFC 9112, section 6.1: what follows must not be taken for a second request."""
    lengths = b"".join([b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"][::order])

    async with connection(world.settings.issuer) as raw:
        await raw.send(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n0\r\n\r\n" + SECOND)
        answer = await raw.answer()
        ended = await raw.ended()

    assert answer is not None
    assert (answer.status, answer.header("connection"), ended) == (400, "close", True)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"Content-Length: 1, 2\r\n\r\na",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\na\r\n0\r\n\r\n",
    ],
)
async def test_a_body_whose_end_is_in_doubt_ends_the_connection(world: World, framing: bytes) -> None:
    """IN12; h11 CVE-2025-43859."""
    async with connection(world.settings.issuer) as raw:
        await raw.send(FORM + framing + SECOND)
        first, second = await raw.answer(), await raw.answer()

    assert first is None or 400 <= first.status <= 501
    assert first is None or first.status != 500
    assert second is None or second.status == 400


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n\0",
        b"GET /health HTTP/1.1\r\nHost: x\r\nName\0: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nName: a\0b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nN\xc3\xa4me: y\r\n\r\n",
        b"GET /h\xc3\xa4lth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
        b"G\0T /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
        b"\r\n\r\n\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nLong: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"n%d: x\r\n" % number for number in range(20_000)) + b"\r\n",
    ],
    ids=lambda head: repr(head[:60]),
)
async def test_what_is_no_request_is_answered_with_a_refusal_or_the_end(world: World, head: bytes) -> None:
    """IN7."""
    async with connection(world.settings.issuer) as raw:
        try:
            await raw.send(head)
            raw.end_of_request()
        except ConnectionError:
            return
        answer = await raw.answer()

    assert answer is None or answer.status < 500
    assert (await world.http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    "target",
    [b"http://evil.example/health", b"http://[", b"*", b"x:80", b"evil", b"?a", b"//evil/x", b"//health//live"],
)
async def test_only_a_path_is_a_target(world: World, target: bytes) -> None:
    """T12: an absolute form could name another host than the rules of a proxy have looked at."""
    answer = await exchanged(world.settings.issuer, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer is not None
    assert answer.status in (400, 404)
    assert answer.header("location") is None


async def test_an_upgrade_to_http_2_is_not_taken(world: World) -> None:
    """T10, IN12; h2 CVE-2025-57804: behind it a request would pass the rules of a proxy that reads HTTP/1.1."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"

    answer = await exchanged(world.settings.issuer, b"GET /health HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")

    assert answer is not None
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "ok")


async def test_http_2_without_an_upgrade_is_refused(world: World) -> None:
    """T10, IN12; HTTP/2 CVE-2023-44487."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"

    answer = await exchanged(world.settings.issuer, preface)

    assert answer is None or answer.status == 400


async def test_a_wish_for_a_websocket_is_answered_in_http(world: World) -> None:
    """RFC 9110, section 7.8: an upgrade may be passed over, and the connection goes on as it is."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    async with connection(world.settings.issuer) as raw:
        await raw.send(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\n" + upgrade + b"\r\n")
        first = await raw.answer()
        await raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        second = await raw.answer()

    assert [answer and answer.status for answer in (first, second)] == [404, 200]


async def test_requests_on_one_connection_are_answered_in_their_order(world: World) -> None:
    async with connection(world.settings.issuer) as raw:
        await raw.send(
            b"".join(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: r%d\r\n\r\n" % it for it in range(20))
        )
        answers = [await raw.answer() for _ in range(20)]

    assert [it and it.header("x-request-id") for it in answers] == [f"r{number}" for number in range(20)]


async def test_a_connection_goes_on_after_a_refusal(world: World) -> None:
    body = json.dumps({"email": await world.registered(), "password": PASSWORD}).encode()
    login = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    async with connection(world.settings.issuer) as raw:
        await raw.send(login % 1 + b"{")
        refused = await raw.answer()
        await raw.send(login % len(body) + body)
        accepted = await raw.answer()

    assert [refused and refused.status, accepted and accepted.status] == [400, 200]
