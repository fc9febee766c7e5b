"""
Redis or Valkey, behind one choke point: every fault of the driver leaves here as `StoreUnavailable`.

Standalone, Sentinel and Cluster are told apart by the scheme of the URL:

    redis://  rediss://  unix://          one server
    redis+sentinel://h1:26379,h2/service  the master that the sentinels name
    redis+cluster://h1:6379,h2            a cluster; every script has one key, so nothing crosses a slot
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ConstantBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from idp.database.batches import Batches
from idp.database.scripts import Script
from idp.domain.errors import StoreUnavailable

CONNECT_TIMEOUT = 0.25
# Longer than the 0.25 s that a healthy store needs many times over: a burst of 500 signatures holds the event loop for
# 0.35 s, and an answer that lies ready meanwhile must not count as lost.
ANSWER_TIMEOUT = 2.0
CONNECTIONS = 16

# redis-py lets an AttributeError of a connection that was closed under it escape.
FAULTS = (RedisError, OSError, AttributeError, asyncio.TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Call:
    script: Script
    key: bytes
    arguments: tuple[bytes | str | int, ...]


class RedisStore:
    """Runs scripts. One server: calls that come together share a pipeline; a cluster: each goes to its node."""

    def __init__(self, url: str) -> None:
        self._client = client_for(url)
        self._clustered = isinstance(self._client, RedisCluster)
        self._batches: Batches[Call, Any] = Batches(self._pipeline)

    async def run(self, script: Script, key: bytes, *arguments: bytes | str | int) -> Any:
        """
        The script's answer. Raises `StoreUnavailable` when there is none, or none is known.

        The call may be sent twice (a connection that broke, a server that has not seen the script): scripts are idempotent.
        """
        call = Call(script, key, arguments)
        if self._clustered:
            return await self._alone(call)
        return await self._batches.ask(call)

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
                info: dict[str, Any] = await self._client.info()
        except FAULTS as fault:
            raise unavailable(fault) from fault
        return next(iter(info.values())) if self._clustered else info

    async def close(self) -> None:
        await self._client.aclose()

    async def _pipeline(self, calls: Sequence[Call]) -> Sequence[Any]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                pipeline = self._client.pipeline(transaction=False)
                for call in calls:
                    pipeline.evalsha(call.script.sha1, 1, call.key, *call.arguments)
                answers = await pipeline.execute(raise_on_error=False)
                return [await self._settled(call, answer) for call, answer in zip(calls, answers, strict=True)]
        except FAULTS as fault:
            raise unavailable(fault) from fault

    async def _settled(self, call: Call, answer: Any) -> Any:
        if isinstance(answer, NoScriptError):
            return await self._client.eval(call.script.source, 1, call.key, *call.arguments)
        return unavailable(answer) if isinstance(answer, RedisError) else answer

    async def _alone(self, call: Call) -> Any:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                try:
                    return await self._client.evalsha(call.script.sha1, 1, call.key, *call.arguments)
                except NoScriptError:
                    return await self._client.eval(call.script.source, 1, call.key, *call.arguments)
        except FAULTS as fault:
            raise unavailable(fault) from fault


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
    scheme = urlsplit(url).scheme
    if scheme == "redis+sentinel":
        return _sentinel_client(url, options)
    if scheme == "redis+cluster":
        return _cluster_client(url, options)
    pool = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=ANSWER_TIMEOUT, **options)
    return Redis.from_pool(pool)


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
    parts = urlsplit(url)
    credentials, addresses = _addresses(parts.netloc, 26379)
    service, _, database = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    sentinel = Sentinel(
        addresses,
        sentinel_kwargs={"socket_timeout": CONNECT_TIMEOUT, "password": query.get("sentinel_password")},
        db=int(database or 0),
        **credentials,
        **options,
    )
    return sentinel.master_for(service or "mymaster", connection_pool_class=SentinelConnectionPool)


def _cluster_client(url: str, options: dict[str, Any]) -> Any:
    credentials, addresses = _addresses(urlsplit(url).netloc, 6379)
    options |= credentials
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in addresses], **options)
