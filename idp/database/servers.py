"""
Which servers a URL of Postgres names, and a connection to the one of them that serves.

libpq tries the hosts of a URL in turn, and asyncpg gives all of them one deadline: a machine that has died, which refuses
nothing and answers nothing, would use that up before the next host is tried. Here the next one is tried beside it after a
moment, and the first that serves wins. Whoever comes later goes to the same one; when it serves no more, one caller looks
for another while the others wait: a connection costs milliseconds of CPU, and during a failover everybody wants one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import asyncpg
from asyncpg import exceptions

CONNECT_TIMEOUT = 2.0
HEAD_START = 0.25  # seconds that a host has before the next one is tried too
DEFAULT_PORT = 5432
QUIET = 0.25  # seconds after a search in vain in which nobody searches again
SERVES = "read-write"  # of several hosts the one that takes writes, unless the URL says otherwise
CERTIFICATES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def credentials(url: str) -> dict[str, Any]:
    """
    A libpq URL as asyncpg's arguments. `?host=/folder` names a socket; `statement_cache_size=0` is for pgbouncer's
    transaction mode; `sslmode` and `target_session_attrs` are passed on. Of several hosts, `host` and `port` are lists.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    user, password = _user(parts.netloc)
    hosts, ports = _hosts(parts.netloc.rpartition("@")[2], query)
    found: dict[str, Any] = {
        "host": hosts if len(hosts) > 1 else hosts[0],
        "port": ports if len(hosts) > 1 else ports[0],
        "user": user,
        "password": password,
        "database": unquote(parts.path.lstrip("/")) or None,
    }
    if "sslmode" in query:
        found["ssl"] = query["sslmode"]
    if "statement_cache_size" in query:
        found["statement_cache_size"] = int(query["statement_cache_size"])
    if "target_session_attrs" in query or len(hosts) > 1:
        found["target_session_attrs"] = query.get("target_session_attrs", SERVES)
    return found


def _user(netloc: str) -> tuple[str | None, str | None]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    return unquote(user) or None, unquote(password) or None


def _hosts(servers: str, query: dict[str, str]) -> tuple[list[str], list[int]]:
    """As many ports as hosts. Those of the query stand before those of the address, as with libpq."""
    named = [_host_and_port(server) for server in servers.split(",")]
    hosts = query["host"].split(",") if "host" in query else [host or "localhost" for host, _ in named]
    given = query["port"].split(",") if "port" in query else [port for _, port in named]
    ports = [int(port or DEFAULT_PORT) for port in given]
    return hosts, ports if len(ports) == len(hosts) else ports[:1] * len(hosts)


def _host_and_port(server: str) -> tuple[str, str]:
    host, _, port = server.rpartition(":") if server.rpartition(":")[2].isdigit() else (server, "", "")
    return unquote(host).strip("[]"), port


def _certificates(url: str) -> str | None:
    """asyncpg reads the files of TLS from a URL only: one with nothing else in it."""
    query = dict(parse_qsl(urlsplit(url).query))
    files = {name: query[name] for name in ("sslmode", *CERTIFICATES) if name in query}
    if _binds(query):
        files["sslmode"] = "verify-full"
    return f"postgresql://?{urlencode(files)}" if files.keys() & set(CERTIFICATES) else None


def _binds(query: Mapping[str, str]) -> bool:
    """
    asyncpg knows no channel binding. Who requires it wants to be sure of the server, and a certificate that is checked proves
    that as well.
    """
    return query.get("channel_binding") == "require"


class Servers:
    """Those of one URL. `connect_timeout` in it, when it is not 0, is the deadline of a search in place of the caller's."""

    def __init__(self, url: str) -> None:
        arguments = credentials(url)
        hosts, ports = arguments.pop("host"), arguments.pop("port")
        several = isinstance(hosts, list)
        self._addresses: list[tuple[str, int]] = list(zip(hosts, ports, strict=True)) if several else [(hosts, ports)]
        self._certificates = _certificates(url)
        if self._certificates:
            arguments.pop("ssl", None)
        query = dict(parse_qsl(urlsplit(url).query))
        if _binds(query) and not self._certificates:
            arguments["ssl"] = ssl.create_default_context()
        self._arguments = arguments
        self._named = {name: query[name] for name in ("application_name",) if name in query}
        self._patience = int(query.get("connect_timeout", 0))
        self._serving: tuple[str, int] | None = None
        self._search = asyncio.Lock()
        self._quiet_until = 0.0

    @property
    def pooled(self) -> dict[str, Any]:
        """For a pool of asyncpg's, or Tortoise's: it hands its arguments to `connect`, which knows the hosts."""
        host, port = self._addresses[0]
        shown = {name: value for name, value in self._arguments.items() if name != "target_session_attrs"}
        return {**shown, "host": host, "port": port, "connect": self.connect}

    async def connect(self, *_: Any, timeout: float = CONNECT_TIMEOUT, **options: Any) -> asyncpg.Connection:
        """To a host that serves, within *timeout* seconds. Raises the most telling fault when none does."""
        options |= self._arguments
        options["server_settings"] = {**(options.get("server_settings") or {}), **self._named}
        timeout = self._patience or timeout
        async with asyncio.timeout(timeout):
            if len(self._addresses) == 1:
                return await self._to(self._addresses[0], timeout, options)
            if (address := self._serving) is not None:
                try:
                    return await self._to(address, timeout / 2, options)
                except (OSError, exceptions.PostgresError, exceptions.InterfaceError, exceptions.InternalClientError):
                    if self._serving == address:
                        self._serving = None
            return await self._searched(timeout, options)

    async def _searched(self, timeout: float, options: dict[str, Any]) -> asyncpg.Connection:
        async with self._search:
            if self._serving is not None:
                return await self._to(self._serving, timeout, options)
            if time.monotonic() < self._quiet_until:
                raise exceptions.TargetServerAttributeNotMatched("none of the hosts served a moment ago")
            try:
                return await self._race(timeout, options)
            except BaseException:
                self._quiet_until = time.monotonic() + QUIET
                raise

    async def _to(self, address: tuple[str, int], timeout: float, options: dict[str, Any]) -> asyncpg.Connection:
        host, port = address
        return await asyncpg.connect(self._certificates, timeout=timeout, **options | {"host": host, "port": port})

    async def _race(self, timeout: float, options: dict[str, Any]) -> asyncpg.Connection:
        waiting = list(self._addresses)
        attempts: dict[asyncio.Task[asyncpg.Connection], tuple[str, int]] = {}
        faults: list[BaseException] = []
        try:
            while waiting or attempts:
                if waiting:
                    address = waiting.pop(0)
                    attempts[asyncio.create_task(self._to(address, timeout, options))] = address
                patience = HEAD_START if waiting else None
                done, _ = await asyncio.wait(attempts, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.exception() is None:
                        self._serving = attempts.pop(task)
                        return task.result()
                    faults.append(task.exception() or AssertionError())
                    attempts.pop(task)
        finally:
            for task in attempts:
                task.add_done_callback(_close)
                task.cancel()
        raise _telling(faults)


def takes_writes(connection: asyncpg.Connection) -> bool:
    """As its server has told unasked, which it does since version 14. A pooler may keep that to itself: then it is believed."""
    told = connection.get_settings()
    return "on" not in (getattr(told, name, "off") for name in ("in_hot_standby", "default_transaction_read_only"))


def _close(attempt: asyncio.Task[asyncpg.Connection]) -> None:
    """One that came too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()


def _telling(faults: Sequence[BaseException]) -> BaseException:
    """A wrong password says more than a host that is down, or that is a standby."""
    silent = (OSError, exceptions.TargetServerAttributeNotMatched)
    return next((fault for fault in faults if not isinstance(fault, silent)), faults[0])
