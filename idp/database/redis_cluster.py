"""
A cluster: each call goes to the master of its slot, and the calls of one master share its round trips.

The nodes are asked which of them serves what at the first call, and again whenever something says that it has changed: a
node that does not answer, a redirection, a cluster that is down. All known nodes are asked at once and the newest view
counts (the highest epoch): a node that hangs, or was cut off and has come back, holds nobody up and misleads nobody.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from idp.database.redis_server import ANSWER_TIMEOUT, FAULTS, Call, OnCall, RedisServer, probe_key
from idp.database.redis_urls import Address, ClusterUrl

# Moved twice, and asked elsewhere: what a slot on its way may need. More is a cluster that is not of one mind.
REDIRECTIONS = 3
CHANGED = (ClusterDownError, ReadOnlyError, TryAgainError)
VIEW_TIMEOUT = 1.0
# Of 1,000 masters with equally many slots, one without a key among these is one in 10^40.
MOST_TRIED = 100_000
# Hundreds who find a node gone at once ask the others once.
VIEW_PAUSE = 0.1
EPOCH = re.compile(rb"cluster_current_epoch:(\d+)")
UNNAMED = {None, b"", b"?"}


@dataclass(frozen=True, slots=True)
class View:
    """Which master serves which slots, as one node sees it. *nodes* are masters and replicas."""

    epoch: int = -1
    slots: dict[int, Address] = field(default_factory=dict)
    nodes: frozenset[Address] = frozenset()

    @property
    def masters(self) -> list[Address]:
        return sorted(set(self.slots.values()))

    @classmethod
    def of(cls, ranges: list[list[Any]], epoch: int, asked: Address) -> View:
        """From the answer to CLUSTER SLOTS. A node that does not name its host is on that of who was *asked*."""
        slots, nodes = {}, set()
        for first, last, *serving in ranges:
            addresses = [_address(node, asked) for node in serving]
            nodes.update(addresses)
            slots.update(dict.fromkeys(range(first, last + 1), addresses[0]))
        return cls(epoch, slots, frozenset(nodes))


class ClusterServers:
    """What `RedisServer` is for one server, and it raises the same."""

    def __init__(self, url: ClusterUrl, on_call: OnCall) -> None:
        self._url = url
        self._on_call = on_call
        self._servers: dict[Address, RedisServer] = {}
        self._view = View()
        self._viewed_at = -VIEW_PAUSE
        self._viewing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self, call: Call) -> Any:
        slot = key_slot(call.keys[0])
        address = await self._master(slot)
        for _ in range(REDIRECTIONS):
            try:
                return await self._server(address).run(call)
            except MovedError as moved:
                address, call = _named_by(moved, address), replace(call, asking=False)
                self._view.slots[slot] = address
                self._look_soon()
            except AskError as elsewhere:
                address, call = _named_by(elsewhere, address), replace(call, asking=True)
            except ResponseError as refusal:
                if isinstance(refusal, CHANGED):
                    self._look_soon()
                raise
            except FAULTS:
                # Another may have taken over. If none has, nothing is gained by waiting.
                await self._look()
                if (master := self._view.slots.get(slot, address)) == address:
                    raise
                address, call = master, replace(call, asking=False)
        raise ClusterError("redirected too often")

    async def ping(self) -> dict[str, object]:
        """How many shards there are, and how many answer. Raises when none does: users of the others can be served."""
        if not self._view.slots:
            await self._look()
        serving = await asyncio.gather(*(self._serves(address) for address in self._view.masters))
        if not any(serving):
            self._look_soon()
            raise ClusterError("no shard answers")
        return {"shards": len(serving), "shardsAnswering": sum(serving)}

    async def info(self) -> list[dict[str, Any]]:
        """Of each master. Raises when one does not answer."""
        if not self._view.slots:
            await self._look()
        if not self._view.slots:
            raise ClusterError("no node answers")
        answers = await asyncio.gather(*(self._server(address).info() for address in self._view.masters))
        return [info for answer in answers for info in answer]

    async def close(self) -> None:
        if self._viewing is not None:
            self._viewing.cancel()
            await asyncio.gather(self._viewing, return_exceptions=True)
        await asyncio.gather(*self._closing, *(server.close() for server in self._servers.values()))

    async def _serves(self, address: Address) -> bool:
        """
        Whether this master thinks that it does, and takes writes: one that has lost sight of the others answers, and serves
        nobody.
        """
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                if b"cluster_state:ok" not in await self._server(address).command("CLUSTER", "INFO"):
                    return False
                await self._server(address).write(self._probe_key(address))
                return True
        except (MovedError, AskError):  # the slot is on its way to another one, which serves it
            self._look_soon()
            return True
        except FAULTS:
            self._look_soon()
            return False

    def _probe_key(self, address: Address) -> bytes:
        """One in a slot of this master: of three masters every third number has one."""
        return next(
            key for key in map(probe_key, range(MOST_TRIED)) if self._view.slots.get(key_slot(key)) in (address, None)
        )

    def _server(self, address: Address) -> RedisServer:
        if (server := self._servers.get(address)) is None:
            server = self._servers[address] = RedisServer(self._url.client(address), self._on_call)
        return server

    async def _master(self, slot: int) -> Address:
        if slot not in self._view.slots:
            await self._look()
        if (address := self._view.slots.get(slot)) is None:
            raise ClusterError("no node serves the slot")
        return address

    # Who serves what.

    async def _look(self) -> None:
        self._look_soon()
        if self._viewing is not None:
            await asyncio.shield(self._viewing)

    def _look_soon(self) -> None:
        """Unless it is being done, or was done a moment ago."""
        if self._viewing is None and time.monotonic() >= self._viewed_at + VIEW_PAUSE:
            self._viewing = asyncio.create_task(self._take_view())
            self._viewing.add_done_callback(self._viewed)

    def _viewed(self, _task: asyncio.Task[None]) -> None:
        self._viewing, self._viewed_at = None, time.monotonic()

    async def _take_view(self) -> None:
        asked = {*self._url.named, *self._view.nodes}
        newest = newest_of(await asyncio.gather(*map(self._view_of, asked)))
        if newest.slots:
            self._view = newest
            self._leave({*self._servers} - newest.nodes - {*self._url.named})

    async def _view_of(self, address: Address) -> View:
        server = self._server(address)
        try:
            async with asyncio.timeout(VIEW_TIMEOUT):
                state = await server.command("CLUSTER", "INFO")
                ranges = await server.command("CLUSTER", "SLOTS")
        except FAULTS:
            return View()
        epoch = EPOCH.search(state)
        return View.of(ranges, int(epoch[1]) if epoch else 0, address)

    def _leave(self, addresses: set[Address]) -> None:
        for address in addresses:
            task = asyncio.create_task(self._servers.pop(address).close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def newest_of(views: Iterable[View]) -> View:
    """A view without slots is that of a node which was taken out or has not met the others; one that has left knows fewer."""
    return max(views, key=lambda view: (bool(view.slots), view.epoch, len(view.nodes)))


def _address(node: list[Any], asked: Address) -> Address:
    host, port = node[0], int(node[1])
    return (host.decode() if host not in UNNAMED else asked[0], port)


def _named_by(redirection: AskError, asked: Address) -> Address:
    return (redirection.host.strip("[]") or asked[0], redirection.port)
