"""
What an application answers that refuses, finds no route or fails: JSON for programs, a page for people.

People are those whose browser asks for HTML outside of the parts that serve programs.
"""

from __future__ import annotations

import structlog
from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed

from idp.controllers.http.answers import InternalError, refusal_answer
from idp.controllers.http.exchange import current
from idp.controllers.pages.hosted import Hosted
from idp.domain.errors import MethodNotAllowed, NotFound, Refusal, Unavailable

log = structlog.get_logger("idp.app")

PROGRAMS = ("/auth/", "/admin/", "/oauth2/", "/.well-known/", "/health", "/metrics", "/openapi.json")


def refuse(app: Quart, hosted: Hosted) -> None:
    """Registers it for all of *app*."""

    async def refused(refusal: Refusal) -> Response:
        exchange = current()
        if isinstance(refusal, Unavailable):
            log.warning("unavailable", reason=str(refusal), request_id=exchange.request_id)
        return await hosted.refused(refusal) if _for_people(app) else _for_programs(refusal)

    async def unrouted(error: HTTPException) -> Response:
        if isinstance(error, WerkzeugMethodNotAllowed):
            return await refused(MethodNotAllowed(sorted(error.valid_methods or ())))
        return await refused(NotFound())

    async def failed(error: Exception) -> Response:
        log.error("unhandled_exception", request_id=current().request_id, path=current().path[:256], exc_info=error)
        return await refused(InternalError())

    app.before_request(_name_route)
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(HTTPException, unrouted)
    app.register_error_handler(Exception, failed)


async def _name_route() -> None:
    if request.url_rule is not None:
        current().route = request.url_rule.rule


def _for_people(app: Quart) -> bool:
    view = app.view_functions.get(request.endpoint or "")
    if view is not None:
        return getattr(view, "access", None) == "page"
    exchange = current()
    return "text/html" in (exchange.header(b"accept") or "") and not exchange.path.startswith(PROGRAMS)


def _for_programs(refusal: Refusal) -> Response:
    exchange = current()
    answer = refusal_answer(refusal, exchange.path, exchange.request_id)
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode()
    return response
