"""`/`: what this is, for who opens the issuer in a browser; and the one stylesheet of the pages."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from quart import Blueprint, Response

from idp.controllers import access
from idp.controllers.operation import operation

STYLESHEET = "style.css"


def front_routes(templates: Path, issuer: str) -> Blueprint:
    routes = Blueprint("front", __name__)
    pages = Environment(loader=FileSystemLoader(templates), autoescape=select_autoescape(), auto_reload=False)
    # Read once: nothing here depends on a request.
    front = pages.get_template("front.html").render(issuer=issuer)
    style = (templates / STYLESHEET).read_text("utf-8")

    @routes.get("/")
    @access.public
    @operation("Say what is running here", status=200, media_type="text/html")
    async def page() -> Response:
        return Response(front, content_type="text/html; charset=utf-8")

    @routes.get(f"/assets/{STYLESHEET}")
    @access.public
    @operation("Style the pages", status=200, media_type="text/css")
    async def stylesheet() -> Response:
        return Response(
            style, content_type="text/css; charset=utf-8", headers={"Cache-Control": "public, max-age=3600"}
        )

    return routes
