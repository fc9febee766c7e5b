"""The stores: PostgreSQL and Valkey as `idp serve` embeds them, and for the peers a Valkey of their own set up alike."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from idp.embedded.binaries import VALKEY, installed
from idp.embedded.valkey import SOCKET, Valkey

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PeerStore:
    """A running Valkey: durable as ours (append-only file, written to disk every second), reached by its socket."""

    socket: Path
    password: str = field(repr=False)
    pid: int

    @property
    def url(self) -> str:
        return f"unix://:{self.password}@{self.socket}"


@contextmanager
def peer_store(folder: Path) -> Iterator[PeerStore]:
    folder.mkdir()
    password = secrets.token_urlsafe(24)
    valkey = Valkey(folder, installed(VALKEY), durable=True, account=None, sockets=None, password=password)
    valkey.initialise()
    try:
        valkey.launch()
        valkey.await_ready()
        yield PeerStore(folder / "valkey" / SOCKET, password, valkey.child.pid or 0)
    finally:
        valkey.stop()


def bytes_kept(url: str, pattern: str) -> int:
    """What all keys that match *pattern* take in memory, by the store's own count."""
    kept = 0
    with Redis.from_url(url) as store:
        keys = list(store.scan_iter(match=pattern, count=AT_ONCE))
        for first in range(0, len(keys), AT_ONCE):
            pipeline = store.pipeline(transaction=False)
            for key in keys[first : first + AT_ONCE]:
                pipeline.memory_usage(key, samples=0)
            kept += sum(size or 0 for size in pipeline.execute())
    return kept
