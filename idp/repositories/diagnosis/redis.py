"""What Redis or Valkey tells of itself, and whether it tells everybody."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from idp.database.redis import RedisStore
from idp.domain.diagnosis import CacheFacts, Transport
from idp.domain.errors import StoreUnavailable

CREDENTIALS = re.compile(r"(?<=://)[^/?]*@")
PASSWORD_IN_QUERY = re.compile(r"(?<=[?&])(username|password)=[^&]*&?")


async def facts(url: str) -> CacheFacts:
    store = RedisStore(url)
    try:
        info = await store.info()
    finally:
        await store.close()
    return CacheFacts(
        version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
        clock_ahead=_clock(info) - datetime.now(UTC),
        maxmemory_policy=info.get("maxmemory_policy"),
        appends=bool(info.get("aof_enabled")),
        append_failed=bool(info.get("aof_enabled")) and info.get("aof_last_write_status", "ok") != "ok",
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        transport=Transport(local=_local(url), encrypted=url.startswith("rediss")),
        open_to_all=await _open_to_all(url),
    )


async def _open_to_all(url: str) -> bool:
    """Asked, since a URL with a password does not say that one is needed."""
    stranger = PASSWORD_IN_QUERY.sub("", CREDENTIALS.sub("", url))
    if stranger == url:
        return True  # it has just answered
    store = RedisStore(stranger)
    try:
        await store.ping()
    except StoreUnavailable:
        return False
    finally:
        await store.close()
    return True


def _local(url: str) -> bool:
    if url.startswith("unix"):
        return True
    servers = CREDENTIALS.sub("", url).partition("://")[2].partition("/")[0]
    return all(_loopback(server) for server in servers.split(","))


def _loopback(server: str) -> bool:
    host = server.partition("]")[0].strip("[") if server.startswith("[") else server.partition(":")[0]
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _clock(info: dict[str, Any]) -> datetime:
    """Ours, when the server does not tell."""
    microseconds = info.get("server_time_usec")
    if microseconds is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(microseconds))
