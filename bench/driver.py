"""
Load on one server: chains over keep-alive connections, each strictly sequential.

It shares its core with the stores, so it does per answer what it must and no more: no HTTP library, no stream, no task.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.processes import cpu_ms

MOST_FAULTS = 5  # in a row; then a chain gives up
LAST_ANSWERS = 30.0  # seconds that answers under way get at the end


@dataclass(slots=True)
class Script:
    """
    What one chain sends. With a *refresh_token* each request spends the one that the answer before it named.

    *head* ends with `Content-Length: `. A good answer has status 200 and *expected* in its body.
    """

    head: bytes
    body: bytes
    expected: bytes
    refresh_token: str | None = None

    def request(self) -> bytes:
        body = self.body if self.refresh_token is None else self.body + self.refresh_token.encode()
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)

    def fault(self, status: int, body: bytes) -> str | None:
        """What is wrong with an answer, without its text, which may hold a token; None when nothing is."""
        if status != 200 or self.expected not in body:
            return f"status {status}"
        if self.refresh_token is not None:
            successor = orjson.loads(body).get("refresh_token")
            if not successor or successor == self.refresh_token:
                return "refresh token not rotated"
            self.refresh_token = successor
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One server under one load. CPU time is that of whole process trees, for each answer. Nothing answered: None."""

    answers: int
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    server_cpu_ms: float | None
    stores_cpu_ms: float | None
    driver_busy: float
    faults: dict[str, int] = field(default_factory=dict)


class Chain(asyncio.Protocol):
    __slots__ = (
        "_body_at",
        "_buffer",
        "_faults",
        "_load",
        "_needed",
        "_sent_at",
        "_status",
        "_transport",
        "_waiting",
        "script",
    )

    def __init__(self, load: Load, script: Script) -> None:
        self.script = script
        self._load = load
        self._faults = 0
        self._waiting = False
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._load.faults["connection lost"] += 1
            self._faults += 1
            if self._faults < MOST_FAULTS:
                self._load.connect(self)
            else:
                self._load.ended()

    def _send(self) -> None:
        self._buffer, self._needed, self._waiting = b"", 0, True
        self._sent_at = time.perf_counter()
        self._transport.write(self.script.request())

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._needed and not self._read_head():
            return
        if len(self._buffer) >= self._needed:
            self._answered()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        self._status = int(head[9:12])
        _, given, length = head.partition(b"\r\ncontent-length:")
        if not given:
            raise ValueError("an answer without Content-Length: none of these servers sends that")
        self._body_at = end + 4
        self._needed = self._body_at + int(length.split(b"\r\n", 1)[0])
        return True

    def _answered(self) -> None:
        load, took = self._load, time.perf_counter() - self._sent_at
        fault = self.script.fault(self._status, self._buffer[self._body_at :])
        self._waiting = False
        if fault is None:
            self._faults = 0
            load.answered(took)
        else:
            self._faults += 1
            load.faults[fault] += 1
        if load.goes_on() and self._faults < MOST_FAULTS:
            self._send()
        else:
            self._transport.close()
            load.ended()


class Load:
    """*times* ends it after that many good answers; else it goes on until `end`."""

    def __init__(self, port: int, scripts: Sequence[Script], times: int | None = None) -> None:
        self.faults: Counter[str] = Counter()
        self.latencies: list[float] = []
        self._port = port
        self._chains = [Chain(self, script) for script in scripts]
        self._times = times
        self._answers = 0
        self._recording = self._stopping = False
        self._running = len(scripts)
        self._all_ended = asyncio.Event()
        self._connecting: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        for chain in self._chains:
            self.connect(chain)

    def connect(self, chain: Chain) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: chain, "127.0.0.1", self._port))
        self._connecting.add(task)
        task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[Any]) -> None:
        self._connecting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.faults["no connection"] += 1
            self.ended()

    def answered(self, took: float) -> None:
        self._answers += 1
        if self._recording:
            self.latencies.append(took)

    def goes_on(self) -> bool:
        return not self._stopping and (self._times is None or self._answers < self._times)

    def ended(self) -> None:
        self._running -= 1
        if self._running == 0:
            self._all_ended.set()

    async def record(self, seconds: float) -> None:
        self._recording = True
        await asyncio.sleep(seconds)
        self._recording = False

    async def end(self) -> None:
        """Waits for the answers under way: a refresh token whose successor is lost could not be used in the next round."""
        self._stopping = True
        async with asyncio.timeout(LAST_ANSWERS):
            await self.all_ended()

    async def all_ended(self) -> None:
        await self._all_ended.wait()


async def measure(
    port: int, scripts: Sequence[Script], *, server: int, stores: Sequence[int], warm_up: float, seconds: float
) -> Sample:
    """All *scripts* at once. *server* and *stores* are process ids, whose trees are measured; times are in seconds."""
    load = Load(port, scripts)
    load.start()
    await asyncio.sleep(warm_up)
    before, started = _clocks(server, stores), time.perf_counter()
    await load.record(seconds)
    took, after = time.perf_counter() - started, _clocks(server, stores)
    await load.end()
    server_ms, stores_ms, driver_ms = (late - early for early, late in zip(before, after, strict=True))
    latencies, answers = sorted(load.latencies), len(load.latencies)
    return Sample(
        answers=answers,
        rps=answers / took,
        p50_ms=_quantile(latencies, 0.5),
        p99_ms=_quantile(latencies, 0.99),
        server_cpu_ms=server_ms / answers if answers else None,
        stores_cpu_ms=stores_ms / answers if answers else None,
        driver_busy=driver_ms / took / 1000,
        faults=dict(load.faults),
    )


def _clocks(server: int, stores: Sequence[int]) -> tuple[float, float, float]:
    """CPU time so far of server, stores and this driver, in milliseconds."""
    return cpu_ms([server]), cpu_ms(stores), time.process_time() * 1000


async def repeat(port: int, script: Script, times: int) -> None:
    """One chain, *times* good answers. Raises `RuntimeError` when it gave up."""
    load = Load(port, [script], times)
    load.start()
    await load.all_ended()
    if load.goes_on():
        raise RuntimeError(f"a chain gave up: {dict(load.faults)}")


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else None
