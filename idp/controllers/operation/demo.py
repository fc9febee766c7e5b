"""
`/demo/`: the example single-page application, in development only, for who wants to see a sign-in.

It shares the issuer's origin, so it would be told whatever a page of ours is told: in production there is no such path.
"""

from __future__ import annotations

from pathlib import Path

from quart import Blueprint, Response

from idp.controllers.pages.assets import TYPES, Asset
from idp.controllers.pages.hosted import HTML, page
from idp.domain.errors import NotFound

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KINDS = {**TYPES, ".html": HTML}


def demo_routes(folder: Path, issuer: str) -> Blueprint:
    """The files of *folder*, read once."""
    routes = Blueprint("demo", __name__)
    files = {
        file.name: Asset(file.read_bytes(), KINDS[file.suffix]) for file in folder.glob("*") if file.suffix in KINDS
    }

    @routes.get("/demo")
    @page("Lead to the demo application")
    async def entrance() -> Response:
        # At the issuer's own name: 127.0.0.1 and localhost are two origins, and the tokens are for one.
        return Response("", 302, headers={"Location": f"{issuer}/demo/"})

    @routes.get("/demo/", defaults={"name": "index.html"})
    @routes.get("/demo/<name>")
    @page("Show the demo application")
    async def file(name: str) -> Response:
        if name not in files:
            raise NotFound
        found = files[name]
        return Response(found.content, content_type=found.content_type, headers={"Content-Security-Policy": POLICY})

    return routes
