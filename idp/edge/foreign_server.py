"""
The application on an ASGI server that is not ours.

`idp serve` answers a body that cannot be read by itself. Granian, like others, says no more than `http.disconnect`, and for an
application that says nothing then, it answers with a 500 of its own. It also names itself in each answer that names nobody.
"""

from __future__ import annotations

from typing import Any

from idp.controllers.http.exchange import Receive, Scope, Send
from idp.edge.framing import Ambiguous


class ForeignServer:
    """*app* inside: a body that does not come to its end is one that is malformed, whether anybody is there to read so or not."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def checked() -> Any:
            nonlocal whole
            message = await receive()
            if message["type"] == "http.disconnect" and not whole:
                raise Ambiguous("The body ended before it was whole.")
            whole = whole or not message.get("more_body", False)
            return message

        async def unnamed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"server", b"")]}
            await send(message)

        if scope["type"] == "http":
            await self._app(scope, checked, unnamed)
        else:
            await self._app(scope, receive, send)
