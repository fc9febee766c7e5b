"""`/openapi.json` and `/api-docs`: rendered once, sent as they are."""

from __future__ import annotations

import hashlib

import orjson
from quart import Blueprint, Quart, Response

from idp.controllers import access
from idp.controllers.exchange import current
from idp.controllers.openapi.document import Route
from idp.controllers.openapi.reading import chapters
from idp.controllers.openapi.responses import Json
from idp.controllers.operation import operation
from idp.controllers.pages.rendering import Pages

OPENAPI = "/openapi.json"
API_DOCS = "/api-docs"
CACHE = {"Cache-Control": "public, max-age=300"}


def openapi_routes() -> tuple[Blueprint, Publication]:
    """The routes are part of what they describe, so what they publish is filled in once all routes are known."""
    routes = Blueprint("openapi", __name__)
    publication = Publication()

    @routes.get(OPENAPI)
    @access.public
    @operation("Describe this server (OpenAPI 3.1)", status=200, media_type="application/json", headers=("ETag",))
    async def openapi() -> Response:
        if current().header(b"if-none-match") == publication.entity_tag:
            return Response("", 304, headers={"ETag": publication.entity_tag, **CACHE})
        headers = {"ETag": publication.entity_tag, "Access-Control-Allow-Origin": "*", **CACHE}
        return Response(publication.json, content_type="application/json", headers=headers)

    @routes.get(API_DOCS)
    @access.public
    @operation("Read the description of this server", status=200, media_type="text/html")
    async def api_docs() -> Response:
        return Response(publication.page, content_type="text/html; charset=utf-8", headers=CACHE)

    return routes, publication


class Publication:
    json: bytes = b"{}"
    page: str = ""
    entity_tag: str = '""'

    def publish(self, document: Json, pages: Pages) -> None:
        self.json = orjson.dumps(document)
        self.entity_tag = f'"{hashlib.sha256(self.json).hexdigest()[:24]}"'
        self.page = pages.render("api-docs", document=document, chapters=chapters(document))


def routes_of(app: Quart) -> list[Route]:
    """Every method of every path that serves programs; HEAD and OPTIONS answer by themselves, pages are for people."""
    return [
        Route(rule.rule, method, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if getattr(app.view_functions[rule.endpoint], "access", None) != "page"
    ]
