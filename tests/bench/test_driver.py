"""The driver against a server that answers what the test wants."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bench.driver import Script, measure, repeat

Answer = Callable[[bytes], list[bytes]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """Its port. *answer* takes a body and gives the parts in which the answer arrives; none ends the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                parts = answer(await reader.readexactly(int(head.rsplit(b" ", 1)[1])))
                if not parts:
                    break
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d \r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def refreshing(refresh_token: str) -> Script:
    return Script(b"POST / HTTP/1.1\r\nContent-Length: ", b"token=", b'"refresh_token"', refresh_token)


def successor_of(body: bytes) -> bytes:
    return b'{"refresh_token": "%d"}' % (int(body.removeprefix(b"token=")) + 1)


async def test_each_request_spends_the_token_of_the_answer_before():
    script = refreshing("1")

    async with server(lambda body: [http(successor_of(body))]) as port:
        await repeat(port, script, 5)

    assert script.refresh_token == "6"


async def test_an_answer_in_pieces_is_read_whole():
    script = refreshing("1")

    def in_pieces(body: bytes) -> list[bytes]:
        whole = http(successor_of(body))
        return [whole[:9], whole[9:30], whole[30:]]

    async with server(in_pieces) as port:
        await repeat(port, script, 3)

    assert script.refresh_token == "4"


async def test_a_token_that_does_not_rotate_is_a_fault():
    async with server(lambda body: [http(b'{"refresh_token": "1"}')]) as port:
        with pytest.raises(RuntimeError, match="refresh token not rotated"):
            await repeat(port, refreshing("1"), 3)


async def test_a_refusal_is_a_fault_and_its_text_is_not_repeated():
    async with server(lambda body: [http(b'{"error": "no"}', status=503)]) as port:
        with pytest.raises(RuntimeError, match="status 503") as fault:
            await repeat(port, refreshing("1"), 3)

    assert "error" not in str(fault.value)


async def test_a_connection_that_ends_is_opened_again():
    calls: list[bytes] = []

    def ending_once(body: bytes) -> list[bytes]:
        calls.append(body)
        return [] if len(calls) == 2 else [http(successor_of(body))]

    script = refreshing("1")
    async with server(ending_once) as port:
        await repeat(port, script, 3)

    assert calls == [b"token=1", b"token=2", b"token=2", b"token=3"]


async def test_a_server_that_is_gone_ends_the_run():
    async with server(lambda body: []) as port:
        pass

    with pytest.raises(RuntimeError, match="no connection"):
        await repeat(port, refreshing("1"), 1)


async def test_a_measurement_counts_answers_and_cpu_time_for_each():
    scripts = [refreshing("1"), refreshing("1")]

    async with server(lambda body: [http(successor_of(body))]) as port:
        sample = await measure(port, scripts, server=os.getpid(), stores=[], warm_up=0.02, seconds=0.2)

    spent = sum(int(script.refresh_token or 0) - 1 for script in scripts)
    assert 0 < sample.answers <= spent
    assert sample.faults == {}
    assert sample.p50_ms is not None
    assert sample.server_cpu_ms is not None
    assert sample.stores_cpu_ms == 0
