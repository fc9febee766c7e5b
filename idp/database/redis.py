"""
Redis or Valkey, behind one choke point: every fault of the driver leaves here as `StoreUnavailable`.

    redis_urls      what an address means
    redis_server    one server, or the master that sentinels name
    redis_cluster   many
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from idp.database.redis_cluster import ClusterServers
from idp.database.redis_server import FAULTS, Call, OnCall, RedisServer
from idp.database.redis_urls import ClusterUrl, client_for, is_cluster
from idp.database.scripts import Script
from idp.domain.errors import StoreUnavailable

LONGEST_CODE = 40  # characters of the word that a refusal of Redis begins with


class RedisStore:
    """Runs scripts. Calls that come together share a round trip to their server."""

    def __init__(self, url: str, *, on_call: OnCall = lambda _seconds, _failed: None) -> None:
        """*on_call* is told how long each round trip took, in seconds, and whether it failed."""
        self._servers: RedisServer | ClusterServers = (
            ClusterServers(ClusterUrl.read(url), on_call) if is_cluster(url) else RedisServer(client_for(url), on_call)
        )

    async def run(self, script: Script, keys: tuple[bytes, ...], *arguments: bytes | str | int) -> Any:
        """
        The script's answer. Raises `StoreUnavailable` when there is none, or none is known. *keys* share a hash tag.

        The call may be sent twice (a connection that broke, a server that has not seen the script): scripts are idempotent.
        """
        try:
            return await self._servers.run(Call(script, keys, arguments))
        except FAULTS as fault:
            raise unavailable(fault) from fault

    async def ping(self) -> dict[str, object]:
        """What there is to tell about the servers. Raises `StoreUnavailable` when none answers and takes writes."""
        try:
            return await self._servers.ping()
        except FAULTS as fault:
            raise unavailable(fault) from fault

    async def info(self) -> list[dict[str, Any]]:
        """The INFO of each master."""
        try:
            return await self._servers.info()
        except FAULTS as fault:
            raise unavailable(fault) from fault

    async def close(self) -> None:
        await self._servers.close()


def unavailable(fault: BaseException) -> StoreUnavailable:
    # The driver's text may hold the address of the store, so only the classes and Redis' own error code are kept.
    more = ""
    if isinstance(fault, ResponseError):
        code = str(fault)[:LONGEST_CODE].split(" ", 1)[0]
        more = code if code.isupper() else ""  # of the codes that it knows the driver leaves the text alone
    elif isinstance(fault.__context__, OSError):  # refused, no such name, a certificate that nobody vouches for
        more = f"({type(fault.__context__).__name__})"
    return StoreUnavailable(reason=f"redis: {type(fault).__name__} {more}".strip())
