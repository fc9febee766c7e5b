"""`/openapi.json` and `/api-docs`: rendered when the first asks, then sent as they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from quart import Blueprint, Quart, Response

from idp.controllers.http import access
from idp.controllers.http.exchange import current
from idp.controllers.http.operation import operation
from idp.controllers.openapi.document import Route
from idp.controllers.openapi.reading import chapters
from idp.controllers.openapi.responses import Json
from idp.controllers.pages.rendering import Pages

OPENAPI = "/openapi.json"
API_DOCS = "/api-docs"
CACHE = {"Cache-Control": "public, max-age=300"}


def openapi_routes(publication: Publication) -> Blueprint:
    """The routes are part of what they describe: *publication* looks at them when all are known."""
    routes = Blueprint("openapi", __name__)

    @routes.get(OPENAPI)
    @access.public
    @operation("Describe this server (OpenAPI 3.1)", status=200, media_type="application/json", headers=("ETag",))
    async def openapi() -> Response:
        found = await publication.rendered()
        if current().header(b"if-none-match") == found.entity_tag:
            return Response("", 304, headers={"ETag": found.entity_tag, **CACHE})
        headers = {"ETag": found.entity_tag, "Access-Control-Allow-Origin": "*", **CACHE}
        return Response(found.json, content_type="application/json", headers=headers)

    @routes.get(API_DOCS)
    @access.public
    @operation("Read the description of this server", status=200, media_type="text/html")
    async def api_docs() -> Response:
        page = (await publication.rendered()).page
        return Response(page, content_type="text/html; charset=utf-8", headers=CACHE)

    return routes


@dataclass(frozen=True, slots=True)
class Rendered:
    json: bytes
    page: str
    entity_tag: str


class Publication:
    """
    *describe* gives the document. It takes a quarter of a second, which no worker need spend before it serves: the first
    who asks waits for it, and nobody else does, since a thread makes it.
    """

    def __init__(self, describe: Callable[[], Json], pages: Pages) -> None:
        self._describe = describe
        self._pages = pages
        self._rendering: asyncio.Task[Rendered] | None = None

    async def rendered(self) -> Rendered:
        if self._rendering is None:
            self._rendering = asyncio.create_task(asyncio.to_thread(self._rendered))
        return await asyncio.shield(self._rendering)  # whoever hangs up leaves it to the others

    def _rendered(self) -> Rendered:
        document = self._describe()
        json = orjson.dumps(document)
        page = self._pages.render("api-docs", document=document, chapters=chapters(document))
        return Rendered(json, page, f'"{hashlib.sha256(json).hexdigest()[:24]}"')


def routes_of(app: Quart) -> list[Route]:
    """Every method of every path that serves programs; HEAD and OPTIONS answer by themselves, pages are for people."""
    return [
        Route(rule.rule, method, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if getattr(app.view_functions[rule.endpoint], "access", None) != "page"
    ]
