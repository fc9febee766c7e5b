"""`idp serve --server granian`: the same application on Granian (extra `fast`)."""

from __future__ import annotations

import os
import socket
import threading

from idp.cli.environment import Misconfigured
from idp.gateways.embedded import EmbeddedStores, StoreUrls
from idp.settings import Settings

WATCH_SECONDS = 0.5


def serve_with_granian(
    settings: Settings, urls: StoreUrls, listener: socket.socket, embedded: EmbeddedStores | None
) -> None:
    try:
        from granian import Granian
        from granian.constants import Interfaces
    except ImportError:
        raise Misconfigured("Granian is not installed: pip install 'idp[fast]'") from None
    host, port = settings.bind_host, settings.bind_port
    listener.close()  # Granian binds by itself
    # Its workers read their settings anew, from what they inherit.
    os.environ.update(
        IDP_DATABASE_URL=urls.database,
        IDP_REDIS_URL=urls.redis,
        IDP_ISSUER=settings.issuer,
        IDP_BIND=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    )
    for name in ("IDP_DATABASE_URL_FILE", "IDP_REDIS_URL_FILE"):
        os.environ.pop(name, None)
    if embedded is not None:
        threading.Thread(target=_watch, args=(embedded,), daemon=True).start()
    Granian(
        "idp.app:from_environment",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        factory=True,
        log_access=False,
    ).serve()


def _watch(embedded: EmbeddedStores) -> None:
    pause = threading.Event()
    while not pause.wait(WATCH_SECONDS):
        embedded.restart_dead()
