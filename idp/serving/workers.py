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
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from hypercorn.config import Config

from idp.app import Application
from idp.embedded import StoreUrls
from idp.gateways import log_lines
from idp.gateways.metrics_folder import join_metrics
from idp.serving.http_server import serve
from idp.serving.restarts import Restarts
from idp.settings import Settings

# What is under way gets this long to end; the parent waits a little longer before it kills.
GRACEFUL_SECONDS = 10.0
KILL_AFTER = 15.0
# Longer than proxies keep a connection for the next request, 60 s by default: who closes first is sure that none is on its way.
KEEP_ALIVE_SECONDS = 75

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    said: Connection  # one byte when it serves
    ready_at: float | None = None


class Workers:
    def __init__(self, settings: Settings, urls: StoreUrls, listener: socket.socket, *, pretty: bool) -> None:
        self._context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._arguments = (settings, urls, listener, pretty, os.getpid())
        self._restarts = Restarts(settings.workers)
        self._kill_after = settings.drain.total_seconds() + KILL_AFTER
        self._count = settings.workers
        self._workers: list[_Worker] = []

    def start(self) -> None:
        gc.collect()
        gc.freeze()  # or the collector of each fork would copy what it only looks at
        self._workers = [self._started() for _ in range(self._count)]

    def sentinels(self) -> list[int]:
        """One of them becomes readable when its worker ends."""
        return [worker.process.sentinel for worker in self._workers]

    def restart_dead(self) -> list[int]:
        """Replaces workers that have ended by themselves; the ids of the new processes. Raises `NoneStarts`."""
        self._bury()
        if not self._restarts.due:
            return []
        new = [self._started() for _ in range(self._count - len(self._workers))]
        self._workers += new
        return [worker.process.pid or 0 for worker in new]

    def _bury(self) -> None:
        for worker in list(self._workers):
            if worker.ready_at is None and _said(worker.said):
                worker.ready_at = time.monotonic()
                self._restarts.became_ready()
            if (status := worker.process.exitcode) is not None:
                self._workers.remove(worker)
                worker.said.close()
                worker.process.close()
                if worker.ready_at is None:
                    self._restarts.failed(status)
                else:
                    self._restarts.crashed(time.monotonic() - worker.ready_at)

    def stop(self) -> None:
        """Asks all to finish what they have, kills what has not ended in time."""
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + self._kill_after
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()

    def _started(self) -> _Worker:
        said, saying = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(*self._arguments, saying), name="idp worker")
        # Until the worker has handlers of its own it has the parent's, and what they hear would be lost.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        saying.close()
        return _Worker(process, said)


def _said(said: Connection) -> bool:
    try:
        return said.poll() and bool(said.recv_bytes())
    except (EOFError, OSError):  # it has ended
        return False


def work(
    settings: Settings,
    urls: StoreUrls,
    listener: socket.socket,
    pretty: bool,
    parent: int,
    ready: Connection | None = None,
) -> None:
    """The life of one worker. It sends a byte through *ready* when it serves."""
    # Ctrl-C reaches the whole terminal group; the parent tells its workers when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    end_with(parent)
    log_lines.configure(pretty=pretty)
    join_metrics()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, urls, listener, pretty, parent, ready))


async def _serve(
    settings: Settings, urls: StoreUrls, listener: socket.socket, pretty: bool, parent: int, ready: Connection | None
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    application = Application(settings, urls, pretty=pretty)

    async def asked_to_stop() -> None:
        if ready is not None:
            ready.send_bytes(b"1")
            ready.close()
        await stop.wait()
        application.drain()

    def settle() -> float:
        """Without its parent at once: the next server wants the port."""
        return settings.drain.total_seconds() if os.getppid() == parent else 0.0

    await serve(application, hypercorn_config(), listener, asked_to_stop, settle)


def hypercorn_config() -> Config:
    config = Config()
    config.backlog = 4096
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = GRACEFUL_SECONDS
    config.shutdown_timeout = GRACEFUL_SECONDS
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
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
