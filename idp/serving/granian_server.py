"""`idp serve --server granian`: the same application on Granian (extra `fast`), as one child that has workers of its own."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import socket
import time
from typing import Any

from idp.embedded import StoreUrls
from idp.serving.restarts import Restarts
from idp.serving.workers import KEEP_ALIVE_SECONDS, KILL_AFTER, end_with
from idp.settings import Settings

# It does not tell when it serves; what ends sooner than this has not.
SURELY_STARTED = 10.0
LARGEST_READ = (
    64 * 1024
)  # bytes of one connection that wait: the edge refuses heads beyond a quarter of that in its own form


def installed() -> bool:
    return importlib.util.find_spec("granian") is not None


class GranianServer:
    """As `idp.serving.workers.Workers`: started, watched and stopped by the parent."""

    def __init__(self, settings: Settings, urls: StoreUrls, listener: socket.socket) -> None:
        listener.close()  # Granian binds by itself
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (settings, urls, os.getpid())
        self._restarts = Restarts(1)
        self._buried = False

    def start(self) -> None:
        self._buried = False
        self._started_at = time.monotonic()
        self._process = self._context.Process(target=serve, args=self._arguments, name="idp granian")
        self._process.start()

    def sentinels(self) -> list[int]:
        return [] if self._buried else [self._process.sentinel]

    def restart_dead(self) -> list[int]:
        """Raises `NoneStarts`."""
        if self._process.exitcode is None:
            return []
        if not self._buried:
            self._buried = True
            if time.monotonic() - self._started_at > SURELY_STARTED:
                self._restarts.became_ready()
            else:
                self._restarts.failed(self._process.exitcode)
        if not self._restarts.due:
            return []
        self.start()
        return [self._process.pid or 0]

    def stop(self) -> None:
        self._process.terminate()
        self._process.join(KILL_AFTER)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def serve(settings: Settings, urls: StoreUrls, parent: int) -> None:
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host, port = settings.bind_host, settings.bind_port
    # Its workers read their settings anew, from the environment that they inherit.
    for name in ("IDP_DATABASE_URL_FILE", "IDP_REDIS_URL_FILE"):
        os.environ.pop(name, None)
    os.environ |= {
        "IDP_DATABASE_URL": urls.database,
        "IDP_REDIS_URL": urls.redis,
        "IDP_ISSUER": settings.issuer,
        "IDP_BIND": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "IDP_WORKERS": str(settings.workers),
    }
    granian("idp.app:from_environment", host, port, workers=settings.workers, factory=True).serve()


def granian(target: str, host: str, port: int, *, workers: int = 1, factory: bool = False) -> Any:
    """
    With all that Granian can be told against slow and odd connections. What it cannot, `idp.edge` refuses, and what that does
    not see is a proxy's to keep away (docs/reverse-proxies.md).
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    return Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        factory=factory,
        log_access=False,
        # Waiting to see whether a connection would speak HTTP/2 has no end of its own: silent ones lived for 155 s.
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE_SECONDS * 1000, max_buffer_size=LARGEST_READ),
    )
