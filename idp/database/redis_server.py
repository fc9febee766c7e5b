"""
One server of Redis, at a time: calls that come together share a round trip on one connection that is kept.

Which server that is may change: the pool of a client that asks sentinels connects to whom they name. So a connection to a
server that turns out not to be the master is dropped, and the next one asks anew.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, ReadOnlyError, RedisError, ResponseError

from idp.database.batches import Batches
from idp.database.scripts import Script

# Longer than the 0.25 s that a healthy store needs many times over: a burst of 500 signatures holds the event loop for
# 0.35 s, and an answer that lies ready meanwhile must not count as lost.
ANSWER_TIMEOUT = 2.0

# Written by whoever asks whether a server can serve: one that answers and refuses writes (a replica, `maxmemory`,
# `min-replicas-to-write`) cannot. Under the prefix of the limits, which the server's user may write.
PROBE_LIFETIME = 10_000  # milliseconds

Answer = TypeVar("Answer")
OnCall = Callable[[float, bool], None]

# redis-py lets an AttributeError of a connection that was closed under it escape.
FAULTS = (RedisError, OSError, AttributeError, asyncio.TimeoutError, asyncio.IncompleteReadError)
NO_MASTER = (ReadOnlyError, MasterDownError)


@dataclass(frozen=True, slots=True)
class Call:
    """*asking*: the slot of the keys is moving to this node of a cluster, and these keys are there already."""

    script: Script
    keys: tuple[bytes, ...]
    arguments: tuple[bytes | str | int, ...]
    asking: bool = False


class RedisServer:
    """*client* is the driver's. Every method raises what the driver does, one of `FAULTS`."""

    def __init__(self, client: Any, on_call: OnCall) -> None:
        """*on_call* is told how long each round trip took, in seconds, and whether it failed."""
        self._client = client
        self._on_call = on_call
        self._batches: Batches[Call, Any] = Batches(lambda calls: self._observed(self._together(calls)))
        self._held: Any = None
        self._releasing: set[asyncio.Future[None]] = set()

    async def run(self, call: Call) -> Any:
        return await self._batches.ask(call)

    async def ping(self) -> dict[str, object]:
        """One question, which only a server that takes writes answers."""
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await self.write(probe_key(0))
        return {}

    async def write(self, key: bytes) -> None:
        """The caller has a deadline."""
        await self._client.set(key, b"", px=PROBE_LIFETIME)

    async def info(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return [await self._client.info()]

    async def command(self, *words: str) -> Any:
        """The answer as it came, on a connection beside that of the calls. The caller has a deadline."""
        return await self._client.execute_command(*words)

    async def close(self) -> None:
        self._drop()
        await asyncio.gather(*self._releasing)
        await self._client.aclose()
        if isinstance(pool := self._client.connection_pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    async def _observed(self, round_trip: Awaitable[Answer]) -> Answer:
        started, failed = time.perf_counter(), True
        try:
            answer = await round_trip
            failed = False
            return answer
        finally:
            self._on_call(time.perf_counter() - started, failed)

    async def _together(self, calls: Sequence[Call]) -> Sequence[Any]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answers = await self._round_trip(calls, _evalsha)
                unseen = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                if unseen:
                    again = await self._round_trip([calls[place] for place in unseen], _eval)
                    for place, answer in zip(unseen, again, strict=True):
                        answers[place] = answer
        except (*FAULTS, asyncio.CancelledError):
            self._drop()
            raise
        if any(isinstance(answer, NO_MASTER) for answer in answers):
            self._drop()  # no longer the master: the next connection asks who is
        return answers

    async def _round_trip(self, calls: Sequence[Call], form: Callable[[Call], tuple[Any, ...]]) -> list[Any]:
        """On one connection that is kept: a pool and a pipeline object would cost more than the call itself."""
        try:
            return await self._sent(calls, form)
        except (RedisConnectionError, OSError, AttributeError):
            self._drop()  # it had died meanwhile, as with a restart of the server: once more, on a new one
            return await self._sent(calls, form)

    async def _sent(self, calls: Sequence[Call], form: Callable[[Call], tuple[Any, ...]]) -> list[Any]:
        if self._held is None:
            self._held = await self._client.connection_pool.get_connection()
        packed = [ASKING + _packed(form(call)) if call.asking else _packed(form(call)) for call in calls]
        await self._held.send_packed_command(b"".join(packed))
        return [await self._answer(call) for call in calls]

    async def _answer(self, call: Call) -> Any:
        try:
            if call.asking:
                await self._held.read_response(timeout=math.inf)
            return await self._held.read_response(timeout=math.inf)  # the deadline is that of the whole round trip
        except ResponseError as refusal:
            return refusal

    def _drop(self) -> None:
        if self._held is not None:
            dropped, self._held = self._held, None
            task = asyncio.ensure_future(_released(self._client.connection_pool, dropped))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)


def probe_key(number: int) -> bytes:
    return b"rl:{probe%d}" % number


async def _released(pool: Any, connection: Any) -> None:
    with suppress(*FAULTS):
        await connection.disconnect(nowait=True)
    with suppress(*FAULTS):
        await pool.release(connection)


def _packed(command: tuple[Any, ...]) -> bytes:
    """A command on the wire. The driver's own packing weighs each argument: 13 of them cost it a tenth of a signature."""
    parts = [part if type(part) is bytes else str(part).encode() for part in command]
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


ASKING = _packed(("ASKING",))


def _evalsha(call: Call) -> tuple[Any, ...]:
    return ("EVALSHA", call.script.sha1, len(call.keys), *call.keys, *call.arguments)


def _eval(call: Call) -> tuple[Any, ...]:
    return ("EVAL", call.script.source, len(call.keys), *call.keys, *call.arguments)
