"""
Redis or Valkey, behind one choke point: every fault of the driver leaves here as `StoreUnavailable`.

Standalone, Sentinel and Cluster are told apart by the scheme of the URL:

    redis://  rediss://  unix://          one server
    redis+sentinel://h1:26379,h2/service  the master that the sentinels name
    redis+cluster://h1:6379,h2            a cluster; the keys of a call share a slot
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisClusterException, RedisError, ResponseError

from idp.database.batches import Batches
from idp.database.scripts import Script
from idp.domain.errors import StoreUnavailable

CONNECT_TIMEOUT = 0.25
# Longer than the 0.25 s that a healthy store needs many times over: a burst of 500 signatures holds the event loop for
# 0.35 s, and an answer that lies ready meanwhile must not count as lost.
ANSWER_TIMEOUT = 2.0
CONNECTIONS = 16

Answer = TypeVar("Answer")

# redis-py lets an AttributeError of a connection that was closed under it escape, and its cluster's error is no RedisError.
FAULTS = (RedisError, RedisClusterException, OSError, AttributeError, asyncio.TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Call:
    script: Script
    keys: tuple[bytes, ...]
    arguments: tuple[bytes | str | int, ...]


class RedisStore:
    """Runs scripts. One server: calls that come together share a round trip; a cluster: each goes to its node."""

    def __init__(self, url: str, *, on_call: Callable[[float, bool], None] = lambda _seconds, _failed: None) -> None:
        """*on_call* is told how long each round trip took, in seconds, and whether it failed."""
        self._on_call = on_call
        self._client = client_for(url)
        self._clustered = isinstance(self._client, RedisCluster)
        self._batches: Batches[Call, Any] = Batches(lambda calls: self._observed(self._together(calls)))
        self._held: Any = None
        self._releasing: set[asyncio.Future[None]] = set()

    async def run(self, script: Script, keys: tuple[bytes, ...], *arguments: bytes | str | int) -> Any:
        """
        The script's answer. Raises `StoreUnavailable` when there is none, or none is known. *keys* share a hash tag.

        The call may be sent twice (a connection that broke, a server that has not seen the script): scripts are idempotent.
        """
        call = Call(script, keys, arguments)
        if self._clustered:
            return await self._observed(self._alone(call))
        return await self._batches.ask(call)

    async def _observed(self, round_trip: Awaitable[Answer]) -> Answer:
        started, failed = time.perf_counter(), True
        try:
            answer = await round_trip
            failed = False
            return answer
        finally:
            self._on_call(time.perf_counter() - started, failed)

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._client.ping()
        except FAULTS as fault:
            raise unavailable(fault) from fault

    async def info(self) -> dict[str, Any]:
        """The server's INFO, of one node of a cluster."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                one = {"target_nodes": RedisCluster.RANDOM} if self._clustered else {}
                info: dict[str, Any] = await self._client.info(**one)
        except FAULTS as fault:
            raise unavailable(fault) from fault
        return info

    async def close(self) -> None:
        self._drop()
        await asyncio.gather(*self._releasing)
        await self._client.aclose()
        if not self._clustered and isinstance(pool := self._client.connection_pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    async def _together(self, calls: Sequence[Call]) -> Sequence[Any]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answers = await self._round_trip([_evalsha(call) for call in calls])
                unseen = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                if unseen:
                    again = await self._round_trip([_eval(calls[place]) for place in unseen])
                    for place, answer in zip(unseen, again, strict=True):
                        answers[place] = answer
        except FAULTS as fault:
            self._drop()
            raise unavailable(fault) from fault
        except asyncio.CancelledError:
            self._drop()
            raise
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            self._drop()  # no longer the master: the next connection asks who is
        return [unavailable(answer) if isinstance(answer, RedisError) else answer for answer in answers]

    async def _round_trip(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """On one connection that is kept: a pool and a pipeline object would cost more than the call itself."""
        try:
            return await self._sent(commands)
        except (RedisConnectionError, OSError, AttributeError):
            self._drop()  # it had died meanwhile, as with a restart of the server: once more, on a new one
            return await self._sent(commands)

    async def _sent(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if self._held is None:
            self._held = await self._client.connection_pool.get_connection()
        await self._held.send_packed_command(b"".join(map(_packed, commands)))
        return [await self._answer() for _ in commands]

    async def _answer(self) -> Any:
        try:
            return await self._held.read_response(timeout=math.inf)  # the deadline is that of the whole round trip
        except ResponseError as refusal:
            return refusal

    def _drop(self) -> None:
        if self._held is not None:
            dropped, self._held = self._held, None
            task = asyncio.ensure_future(_released(self._client.connection_pool, dropped))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)

    async def _alone(self, call: Call) -> Any:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                try:
                    return await self._client.evalsha(call.script.sha1, len(call.keys), *call.keys, *call.arguments)
                except NoScriptError:
                    return await self._client.eval(call.script.source, len(call.keys), *call.keys, *call.arguments)
        except FAULTS as fault:
            raise unavailable(fault) from fault


async def _released(pool: Any, connection: Any) -> None:
    with suppress(*FAULTS):
        await connection.disconnect(nowait=True)
    with suppress(*FAULTS):
        await pool.release(connection)


def _packed(command: tuple[Any, ...]) -> bytes:
    """A command on the wire. The driver's own packing weighs each argument: 13 of them cost it a tenth of a signature."""
    parts = [part if type(part) is bytes else str(part).encode() for part in command]
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


def _evalsha(call: Call) -> tuple[Any, ...]:
    return ("EVALSHA", call.script.sha1, len(call.keys), *call.keys, *call.arguments)


def _eval(call: Call) -> tuple[Any, ...]:
    return ("EVAL", call.script.source, len(call.keys), *call.keys, *call.arguments)


def unavailable(fault: BaseException) -> StoreUnavailable:
    # The driver's text may hold the address of the store, so only the class and Redis' own error code are kept.
    code = str(fault).split(" ", 1)[0] if isinstance(fault, ResponseError) else ""
    return StoreUnavailable(reason=f"redis: {type(fault).__name__} {code}".strip())


def client_for(url: str) -> Any:
    # One retry at once: enough to leave a connection that a restart has closed, and no waiting behind the caller's back.
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        "retry": Retry(ConstantBackoff(0), 1),
        "protocol": 2,
    }
    scheme = url.partition("://")[0]
    if scheme == "redis+sentinel":
        return _sentinel_client(url, options)
    if scheme == "redis+cluster":
        return _cluster_client(url, options)
    pool = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=ANSWER_TIMEOUT, **options)
    return Redis.from_pool(pool)


def _parts(url: str) -> tuple[str, str, str]:
    """Servers, path and query. Not urlsplit: it takes one server, and refuses a list with an IPv6 address in it."""
    rest, _, query = url.partition("://")[2].partition("?")
    servers, _, path = rest.partition("/")
    return servers, path, query


def _addresses(netloc: str, default_port: int) -> tuple[dict[str, str], list[tuple[str, int]]]:
    """`user:password@h1:p1,h2` → credentials, addresses."""
    login, _, hosts = netloc.rpartition("@")
    user, _, password = login.partition(":")
    credentials = {"username": unquote(user), "password": unquote(password)}
    found = []
    for host in hosts.split(","):
        name, colon, port = host.rpartition(":")
        found.append((name.strip("[]"), int(port)) if colon and port.isdigit() else (host.strip("[]"), default_port))
    return {name: value for name, value in credentials.items() if value}, found


def _sentinel_client(url: str, options: dict[str, Any]) -> Any:
    servers, path, query = _parts(url)
    credentials, addresses = _addresses(servers, 26379)
    service, _, database = path.strip("/").partition("/")
    named = dict(parse_qsl(query))
    sentinel = Sentinel(
        addresses,
        sentinel_kwargs={"socket_timeout": CONNECT_TIMEOUT, "password": named.get("sentinel_password")},
        db=int(database or 0),
        **credentials,
        **options,
    )
    return sentinel.master_for(service or "mymaster", connection_pool_class=SentinelConnectionPool)


def _cluster_client(url: str, options: dict[str, Any]) -> Any:
    credentials, addresses = _addresses(_parts(url)[0], 6379)
    options |= credentials
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in addresses], **options)
