"""
The worker processes: one event loop and one Hypercorn each, sharing one listening socket.

On Linux they are forks of the parent, which has imported everything and has one thread: a worker that died is replaced in
a tenth of a second instead of two, and workers share the memory of what was imported. Elsewhere the libraries of the system
may not survive a fork, so workers are started anew.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing.process import BaseProcess
from typing import Any

from hypercorn.config import Config

from idp.app import Application
from idp.cli.http_server import serve
from idp.gateways import log_lines
from idp.gateways.embedded import StoreUrls
from idp.gateways.metrics_folder import join_metrics
from idp.settings import Settings

# What is under way gets this long to end; the parent waits a little longer before it kills.
GRACEFUL_SECONDS = 10.0
KILL_AFTER = 15.0
# A worker that ends as soon as it starts, since a store refuses it, say, is not started again and again without a pause.
SHORTEST_LIFE = 0.5

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})
PR_SET_PDEATHSIG = 1


class Workers:
    def __init__(self, settings: Settings, urls: StoreUrls, listener: socket.socket, *, pretty: bool) -> None:
        self._context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._arguments = (settings, urls, listener, pretty, os.getpid())
        self._count = settings.workers
        self._processes: list[BaseProcess] = []
        self._started_at: dict[int, float] = {}

    def start(self) -> None:
        gc.collect()
        gc.freeze()  # or the collector of each fork would copy what it only looks at
        self._processes = [self._started(place) for place in range(self._count)]

    @property
    def sentinels(self) -> list[int]:
        """What `multiprocessing.connection.wait` finds ready once a worker has ended."""
        return [process.sentinel for process in self._processes if process.exitcode is None]

    def restart_dead(self) -> list[int]:
        """Replaces workers that have ended by themselves; the ids of the new processes."""
        replaced = []
        for place, process in enumerate(self._processes):
            if process.exitcode is not None and time.monotonic() - self._started_at[place] >= SHORTEST_LIFE:
                process.close()
                self._processes[place] = new = self._started(place)
                replaced.append(new.pid or 0)
        return replaced

    def stop(self) -> None:
        """Asks all to finish what they have, kills what has not ended in time."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(KILL_AFTER)
            if process.exitcode is None:
                process.kill()
                process.join()

    def _started(self, place: int) -> BaseProcess:
        self._started_at[place] = time.monotonic()
        process: BaseProcess = self._context.Process(target=work, args=self._arguments, name="idp worker")
        # Until the worker has handlers of its own it has the parent's, and what they hear would be lost.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return process


def work(settings: Settings, urls: StoreUrls, listener: socket.socket, pretty: bool, parent: int) -> None:
    """The life of one worker."""
    # Ctrl-C reaches the whole terminal group; the parent tells its workers when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    end_with(parent)
    log_lines.configure(pretty=pretty)
    join_metrics()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, urls, listener, pretty))


async def _serve(settings: Settings, urls: StoreUrls, listener: socket.socket, pretty: bool) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(Application(settings, urls, pretty=pretty), hypercorn_config(), listener, stop.wait)


def hypercorn_config() -> Config:
    config = Config()
    config.backlog = 4096
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = GRACEFUL_SECONDS
    config.shutdown_timeout = GRACEFUL_SECONDS
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = 16 * 1024
    return config


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def end_with(parent: int) -> None:
    """Killed with the parent, whatever killed that: a worker alone would serve from stores that are gone."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
