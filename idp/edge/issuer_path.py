"""
The path of the issuer, taken off the paths of requests before anything looks at them.

A proxy may pass on `/auth/login` for the issuer `https://example.com/auth`, or strip the path and pass on `/login`: both are
served. Health checks ask without it. Only the exact spelling counts, so that no proxy rule is passed by `/%61uth/login`.
"""

from __future__ import annotations

from typing import Any

from idp.controllers.http.exchange import Receive, Scope, Send


class IssuerPath:
    """*inside* sees paths without *path*. It stands before everything else, and only where the issuer has a path."""

    def __init__(self, inside: Any, path: str) -> None:
        self._inside = inside
        self._path = path
        self._below = f"{path}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if path == self._path or path.startswith(self._below):
            scope = self._stripped(scope, path)
        await self._inside(scope, receive, send)

    def _stripped(self, scope: Scope, path: str) -> Scope:
        raw: bytes = scope.get("raw_path") or path.encode()
        if not (raw + b"/").startswith(self._below.encode()):
            # Respelled with percent-encoding. Nothing here is called so, and it is not read as a path without the issuer's.
            return {**scope, "path": raw.decode("latin-1")}
        length = len(self._path)
        # A root path set by another ASGI server would be looked for in what is left (ASGI, HTTP connection scope).
        return {**scope, "path": path[length:] or "/", "raw_path": raw[length:] or b"/", "root_path": ""}
