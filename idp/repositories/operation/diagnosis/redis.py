"""What Redis or Valkey tells of itself, and whether it tells everybody."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from idp.database.redis import RedisStore
from idp.database.redis_urls import fails_over
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.diagnosis import CacheFacts, Transport

CREDENTIALS = re.compile(r"(?<=://)[^/?]*@")
PASSWORD_IN_QUERY = re.compile(r"(?<=[?&])(username|password)=[^&]*&?")


async def facts(url: str) -> CacheFacts:
    """Of several masters the worst of each."""
    store = RedisStore(url)
    try:
        infos = await store.info()
    finally:
        await store.close()
    now = datetime.now(UTC)
    policies = [info.get("maxmemory_policy") for info in infos]
    fullest = max(infos, key=_fullness)
    return CacheFacts(
        version=min((_version(info) for info in infos), key=_in_order),
        clock_ahead=max((_clock(info) - now for info in infos), key=abs),
        maxmemory_policy=next((policy for policy in policies if policy != "noeviction"), "noeviction"),
        appends=all(info.get("aof_enabled") for info in infos),
        append_failed=any(map(_append_failed, infos)),
        used_memory=int(fullest.get("used_memory", 0)),
        maxmemory=int(fullest.get("maxmemory", 0)),
        transport=Transport(local=_local(url), encrypted=url.startswith("rediss")),
        open_to_all=await _open_to_all(url),
        masters=len(infos),
        alone=sum(not info.get("connected_slaves") for info in infos) if fails_over(url) else None,
    )


def _version(info: dict[str, Any]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version") or "unknown")


def _in_order(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def _fullness(info: dict[str, Any]) -> tuple[float, int]:
    used, bound = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    return (used / bound if bound else 0.0), used


def _append_failed(info: dict[str, Any]) -> bool:
    return bool(info.get("aof_enabled")) and info.get("aof_last_write_status", "ok") != "ok"


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
