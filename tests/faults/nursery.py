"""
Run as a process of its own: the workers of `idp serve`, forked from a process that has imported everything already.

The real parent takes a second and more of CPU for each worker that it starts anew; here a killed one is replaced at once,
so that hundreds of kills fit into a minute.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import Any

from idp.app import pages_of
from idp.bootstrap import key_files
from idp.cli.preparation import migrate
from idp.cli.workers import work
from idp.gateways.embedded import StoreUrls
from idp.settings import load


def main() -> None:
    settings = load(os.environ)
    assert settings.database_url
    assert settings.redis_url
    urls = StoreUrls(settings.database_url, settings.migration_database_url or "", settings.redis_url)
    asyncio.run(migrate(urls))
    key_files(settings)
    pages_of(settings)
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
