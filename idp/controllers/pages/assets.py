"""`/assets/*`: the stylesheet, the scripts and the images of the pages, read once at the start."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quart import Blueprint, Response

from idp.controllers.http import access
from idp.controllers.http.exchange import current
from idp.controllers.http.operation import operation
from idp.domain.errors import NotFound

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    content_type: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]


def asset_files(folders: Sequence[Path]) -> dict[str, Asset]:
    """By name; of two files with one name, that of the first folder. Only kinds that a page can use."""
    found: dict[str, Asset] = {}
    for folder in reversed(folders):
        for file in sorted(folder.glob("*")):
            if file.suffix in TYPES and file.is_file():
                found[file.name] = Asset(file.read_bytes(), TYPES[file.suffix])
    return found


def asset_routes(assets: dict[str, Asset]) -> Blueprint:
    routes = Blueprint("assets", __name__)

    @routes.get("/assets/<name>")
    @access.public
    @operation("Load what the pages look like", status=200, media_type="text/css", headers=("ETag",))
    async def asset(name: str) -> Response:
        found = assets.get(name)
        if found is None:
            raise NotFound
        # Pages name the version they want, so an old one is never shown with a new page.
        headers = {"ETag": f'"{found.digest}"', "Cache-Control": "public, max-age=86400"}
        if current().header(b"if-none-match") == headers["ETag"]:
            return Response("", 304, headers=headers)
        return Response(found.content, content_type=found.content_type, headers=headers)

    return routes
