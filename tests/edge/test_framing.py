"""What ends where, and for whom it is, beyond doubt (IN7, IN12): with our server and with Granian, by hand over a socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import on_a_socket
import pytest
from edge_alone import ISSUER, alone
from process import free_port
from raw_http import RawAnswer, connection, exchanged

HERE = Path(__file__).parent
GRANIAN = (
    "from idp.serving.granian_server import granian; granian('edge_alone:application', '127.0.0.1', {port}).serve()"
)
FORM = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SECOND = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
OWN = ISSUER.removeprefix("https://").encode()


@pytest.fixture(scope="module")
def granian() -> Iterator[str]:
    pytest.importorskip("granian")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", GRANIAN.format(port=port)], env=os.environ | {"PYTHONPATH": str(HERE)}
    )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, "it has ended"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(params=["hypercorn", "granian"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Its URL."""
    if request.param == "granian":
        yield request.getfixturevalue("granian")
        return
    async with on_a_socket.served(alone) as url:
        yield url


async def only_answer(url: str, request: bytes) -> RawAnswer:
    """After it nothing comes on the connection but its end."""
    async with connection(url) as raw:
        await raw.send(request)
        answer = await raw.answer()
        assert await raw.ended()
    assert answer is not None
    return answer


def is_ours(answer: RawAnswer) -> bool:
    """With the headers of every answer, an id that the log has too, and no name of the server."""
    headers = dict(answer.headers)
    return headers["x-content-type-options"] == "nosniff" and "x-request-id" in headers and not headers.get("server")


@pytest.mark.parametrize(
    "coding",
    [
        *(b"gzip, chunked", b"chunked, chunked", b"chunked,chunked", b"identity, chunked", b"x, chunked"),
        b"chunked\r\nTransfer-Encoding: chunked",
        b"gzip\r\nTransfer-Encoding: chunked",
    ],
)
async def test_no_second_request_hides_behind_codings_that_are_not_read(server: str, coding: bytes) -> None:
    """IN12: for one server the body ends at the last chunk, for another with the connection or at chunks within chunks."""
    answer = await only_answer(server, FORM + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + SECOND)

    assert (answer.status, answer.header("connection")) == (400, "close")
    assert is_ours(answer)


async def test_a_length_beside_chunks_ends_the_connection(server: str) -> None:
    """IN12: Granian takes the length away, reads the chunks and closes: as good, but nothing that the edge sees."""
    lengths = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = await only_answer(server, FORM + lengths + b"0\r\n\r\n" + SECOND)

    assert (answer.status, answer.header("connection")) in [(400, "close"), (200, "close")]
    assert is_ours(answer)


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n\r\n", b"1\r\naXX0\r\n\r\n", b"-1\r\na\r\n0\r\n\r\n", b"f" * 30 + b"\r\na\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("path", [b"/oauth2/token", b"/auth/login", b"/health"])
async def test_chunks_that_cannot_be_read_are_the_caller_s_fault(server: str, path: bytes, chunks: bytes) -> None:
    """IN12: never a 500 of the server's own."""
    head = FORM.replace(b"/oauth2/token", path) + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = await only_answer(server, head + chunks + SECOND)

    # Elsewhere it is the route that says so, which the one behind this edge does not.
    assert answer.status == 400 or (answer.status == 200 and path != b"/oauth2/token")
    assert is_ours(answer)


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
async def test_chunks_are_read(server: str, coding: bytes) -> None:
    body = b"1\r\na\r\n2\r\n=b\r\n0\r\n\r\n"

    answer = await exchanged(server, FORM + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + body)

    assert answer is not None
    assert answer.json()["form"] == [["a", "b"]]
    assert is_ours(answer)


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host:\r\n",
        b"Host: a\r\nHost: b\r\n",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: u@a\r\n",
        b"Host: [::1\r\n",
    ],
)
async def test_a_request_has_one_host(server: str, hosts: bytes) -> None:
    """IN7: RFC 9112, section 3.2."""
    answer = await only_answer(server, b"GET /health HTTP/1.1\r\n" + hosts + b"\r\n" + SECOND)

    assert answer.status == 400
    assert is_ours(answer)


@pytest.mark.parametrize("host", [b"a", b"a:80", b"a:", b"[::1]:8000", b"A.example", b"xn--bcher-kva.example"])
async def test_every_host_is_served(server: str, host: bytes) -> None:
    """Links come from the issuer alone, so it may be any."""
    answer = await exchanged(server, b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")

    assert answer is not None
    assert answer.status == 200


async def test_a_request_of_http_1_0_needs_no_host(server: str) -> None:
    answer = await exchanged(server, b"GET /health HTTP/1.0\r\n\r\n")

    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("size", [20_000, 100_000, 300_000])
@pytest.mark.parametrize("count", [1, 40])
async def test_headers_have_a_size(server: str, size: int, count: int) -> None:
    """IN7: beyond 64 KiB Granian says so itself, in a form of its own."""
    headers = b"".join(b"x-%d: %s\r\n" % (number, b"a" * (size // count)) for number in range(count))
    async with connection(server) as raw:
        try:
            await raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        except ConnectionError:
            return
        answer = await raw.answer()
        ended = await raw.ended()

    assert ended
    assert answer is None or answer.status == 431
    assert size > 64 * 1024 or (answer is not None and is_ours(answer))


async def test_headers_of_a_usual_size_are_read(server: str) -> None:
    answer = await exchanged(server, b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 15_000 + b"\r\n\r\n")

    assert answer is not None
    assert answer.status == 200


# The absolute form (RFC 9112, section 3.2.2), which clients send to what they take for a proxy.


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://" + OWN + b"/health?a=b", "/health", "a=b"),
        (b"https://" + OWN + b"/health", "/health", ""),
        (b"HTTPS://" + OWN.upper() + b":443/a%20b", "/a b", ""),
        (b"http://" + OWN + b":80", "/", ""),
        (b"http://" + OWN + b"?q", "/", "q"),
    ],
)
async def test_the_absolute_form_with_our_own_host_is_the_path(
    server: str, target: bytes, path: str, query: str
) -> None:
    """IN17: whatever `Host` says, which is not looked at then."""
    answer = await exchanged(server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer is not None
    assert (answer.status, answer.json()["path"], answer.json()["query"]) == (200, path, query)


async def test_the_address_that_was_connected_to_is_our_own_host_too(server: str) -> None:
    """IN17."""
    port = server.rpartition(":")[2].encode()
    for host in (b"127.0.0.1:", b"localhost:"):
        answer = await exchanged(server, b"GET http://" + host + port + b"/health HTTP/1.1\r\nHost: x\r\n\r\n")

        assert answer is not None
        assert (answer.status, answer.json()["path"]) == (200, "/health")


@pytest.mark.parametrize(
    "authority",
    [
        *(b"evil.example", b"evil.example:443", OWN + b":8443", OWN + b".evil.example", b"evil." + OWN, b""),
        *(b"u:p@" + OWN, OWN + b"@evil.example", b"127.0.0.1", b"localhost:1", b"["),
    ],
)
async def test_the_absolute_form_with_another_host_is_refused(authority: bytes) -> None:
    """IN17: of our own server, since Granian keeps the host of such a target to itself."""
    async with on_a_socket.served(alone) as url:
        answer = await only_answer(url, b"GET http://" + authority + b"/health HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND)

    assert answer.status == 400
    assert is_ours(answer)


async def test_the_absolute_form_goes_past_no_rule_for_a_path() -> None:
    """IN17, AD12: "/%61dmin/" would pass a proxy that keeps /admin/ to itself."""
    async with on_a_socket.served(alone) as url:
        encoded = await exchanged(url, b"GET http://" + OWN + b"/%61dmin/users HTTP/1.1\r\nHost: x\r\n\r\n")
        nothing = await exchanged(url, b"GET http://" + OWN + b"/a%00b HTTP/1.1\r\nHost: x\r\n\r\n")

    assert [answer and answer.status for answer in (encoded, nothing)] == [404, 404]
