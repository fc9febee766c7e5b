"""An application on a socket of its own, as a worker serves it, in the process of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from idp.serving.http_server import serve
from idp.serving.workers import hypercorn_config


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The URL of *app*, until the end of the block."""
    stop = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        serving = asyncio.create_task(serve(app, hypercorn_config(), listener, stop.wait))
        try:
            yield f"http://localhost:{listener.getsockname()[1]}"
        finally:
            stop.set()
            await serving
