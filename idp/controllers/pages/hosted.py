"""What every hosted page does: read the visit, answer with a page or send the browser on, refuse in HTML."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlencode

from quart import Response, g

from idp.controllers.http.exchange import current
from idp.controllers.http.operation import Operation
from idp.controllers.pages.rendering import Pages
from idp.controllers.pages.visits import Visit, Visits
from idp.controllers.pages.ways_on import ways_on
from idp.domain.errors import MethodNotAllowed, Refusal, TooMany, Unavailable, ValidationFailed

View = TypeVar("View", bound=Callable[..., Awaitable[Response]])

HTML = "text/html; charset=utf-8"


def page(summary: str) -> Callable[[View], View]:
    """
    Declares a view that serves people, not programs: it answers in HTML, is no part of the described API, and asks the visit
    itself who is signed in.
    """

    def declare(view: View) -> View:
        @functools.wraps(view)
        async def shown(**variables: Any) -> Response:
            return await view(**variables)

        shown.access = "page"  # type: ignore[attr-defined]
        shown.operation = Operation(summary=summary, media_type="text/html")  # type: ignore[attr-defined]
        return shown  # type: ignore[return-value]

    return declare


def only_get() -> None:
    """For a page that does more than show: a HEAD would do it, and nobody would see."""
    if current().method == "HEAD":
        raise MethodNotAllowed(["GET"])


@dataclass(frozen=True, slots=True)
class FormError:
    """*field* None: of the form as a whole."""

    field: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    pages: Pages
    visits: Visits

    def show(
        self,
        visit: Visit,
        template: str,
        /,
        status: int = 200,
        *,
        own: bool = False,
        images: Iterable[str | None] = (),
        leads_to: str | None = None,
        ui_locales: str | None = None,
        refusal: Refusal | None = None,
        names: Mapping[str, str | None] = MappingProxyType({}),
        **values: Any,
    ) -> Response:
        """
        *own*: its form is for the user who is signed in. *leads_to*: the redirect URI that the form's answer may lead to.
        *refusal*: what was wrong with the form that was sent; its status and its sentences are the page's. *names*: what
        the page calls a field that the use case names otherwise, None where it shows none.
        """
        if refusal is not None:
            status, values = refusal.status, {"errors": _errors(refusal, names), **values}
        token = self.visits.form_token(visit, own=own)
        text = self.pages.render(template, locale=self.locale(ui_locales), csrf_token=token, **values)
        answer = Response(text, status, content_type=HTML)
        answer.headers["Content-Security-Policy"] = self.pages.policy(images=images, leads_to=leads_to)
        return _dressed(answer, visit, refusal)

    def go(self, visit: Visit, path: str, **query: str | None) -> Response:
        """To another page of ours, a path below the issuer's, by GET (RFC 9700, section 4.12)."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.leave(visit, self.pages.url(f"{path}?{urlencode(given)}" if given else path))

    def leave(self, visit: Visit, location: str) -> Response:
        return _dressed(Response("", 303, headers={"Location": location}), visit)

    async def refused(self, refusal: Refusal) -> Response:
        text = self.pages.render(
            "error",
            locale=self.locale(None),
            status=refusal.status,
            message=refusal.detail,
            code=refusal.error,
            request_id=current().request_id,
            retry_after=getattr(refusal, "retry_after", None),
            **ways_on(refusal, g.get("visit"), self.visits.issuer),
        )
        answer = Response(text, refusal.status, content_type=HTML)
        answer.headers["Content-Security-Policy"] = self.pages.policy()
        return _dressed(answer, g.get("visit"), refusal)

    def locale(self, ui_locales: str | None) -> str:
        return self.pages.locale(ui_locales, current().header(b"accept-language"))


def _errors(refusal: Refusal, names: Mapping[str, str | None]) -> list[FormError]:
    if isinstance(refusal, ValidationFailed):
        return [FormError(names.get(error.field, error.field), error.message) for error in refusal.errors]
    return [FormError(None, refusal.detail)]


def _dressed(answer: Response, visit: Visit | None, refusal: Refusal | None = None) -> Response:
    # Flask CVE-2023-30861: what is kept of a page with a cookie would sign the next reader in.
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Cookie, Accept-Language"
    for cookie in visit.cookies if visit is not None else ():
        answer.headers.add("Set-Cookie", cookie)
    for name, value in _waiting(refusal).items():
        answer.headers[name] = value
    return answer


def _waiting(refusal: Refusal | None) -> Mapping[str, str]:
    if isinstance(refusal, (TooMany, Unavailable)):
        return {"Retry-After": str(refusal.retry_after)}
    if isinstance(refusal, MethodNotAllowed):
        return {"Allow": ", ".join(refusal.allowed)}
    return {}
