"""
Run as a process of its own: the workers of `idp serve`, without its pauses.

The real parent replaces a worker that has hardly lived only after half a second; here a killed one is replaced at once, so
that hundreds of kills fit into half a minute.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import Any

from idp.app import pages_of
from idp.bootstrap import letters_of, running
from idp.cli.preparation import migrate
from idp.embedded import StoreUrls
from idp.serving.workers import work
from idp.settings import Settings, load


async def prepared(settings: Settings, urls: StoreUrls) -> None:
    """As by the real parent: what workers need is read and compiled."""
    await migrate(urls)
    pages_of(settings)
    letters_of(settings.issuer)
    async with running(settings, urls, delivers=False):
        pass


def main() -> None:
    settings = load(os.environ)
    assert settings.database_url
    assert settings.redis_url
    urls = StoreUrls(settings.database_url, settings.migration_database_url or "", settings.redis_url)
    asyncio.run(prepared(settings, urls))
    gc.collect()
    gc.freeze()
    listener = socket.create_server((settings.bind_host, settings.bind_port), backlog=4096)
    parent, workers = os.getpid(), set[int]()

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            work(settings, urls, listener, False, parent)
            os._exit(0)
        workers.add(pid)

    def end(*_: Any) -> None:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        while len(workers) < settings.workers:
            fork()
        workers.discard(os.wait()[0])


if __name__ == "__main__":
    main()
