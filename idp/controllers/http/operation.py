"""
What a route takes, gives and refuses: declared once, checked at each request, told by `/openapi.json`.

    @routes.post("/auth/login")
    @limited(Category.LOGIN)
    @access.public
    @operation("Sign in", takes=Credentials, gives=SignedIn, refuses=(InvalidCredentials, TooManyAttempts))
    async def login(credentials: Credentials) -> SignedIn: ...

The view gets the checked body, then the checked query, then the variables of the path by name. It returns what it gives,
alone or with headers; a view whose answer has no body returns None; one that streams returns a `Response`.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from quart import Response

from idp.controllers.http.exchange import body, current, query
from idp.domain.errors import Refusal

View = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    *takes*: the JSON body. *query*: the parameters. *reads*, *headers*: names of headers beyond the usual, asked for and
    answered. *also*: bodies of other statuses that are no refusals. *streams*: the media type of an export. *refuses*: beyond
    what its access policy, its limit and its body refuse.
    """

    summary: str
    takes: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    status: int = 200
    media_type: str = "application/json"
    refuses: tuple[type[Refusal], ...] = ()
    reads: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    streams: str | None = None


def operation(
    summary: str,
    *,
    takes: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    gives: type[BaseModel] | None = None,
    status: int | None = None,
    media_type: str = "application/json",
    refuses: tuple[type[Refusal], ...] = (),
    reads: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
    also: Mapping[int, type[BaseModel]] | None = None,
    streams: str | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], View]:
    """*status* of the answer that is no refusal: 200, or 204 where nothing is given, unless said otherwise."""
    declared = Operation(
        summary=summary,
        takes=takes,
        query=query,
        gives=gives,
        status=status or (200 if gives else 204),
        media_type=media_type,
        refuses=refuses,
        reads=reads,
        headers=headers,
        also=also or {},
        streams=streams,
    )

    def declare(view: Callable[..., Awaitable[Any]]) -> View:
        @functools.wraps(view)
        async def operate(**variables: Any) -> Response:
            return _answer(declared, await view(*_read(declared), **variables))

        operate.operation = declared  # type: ignore[attr-defined]
        return operate

    return declare


def _read(declared: Operation) -> list[BaseModel]:
    if (unreadable := current().unreadable) is not None:
        raise unreadable
    taken = [body(declared.takes)] if declared.takes else []
    return [*taken, query(declared.query)] if declared.query else taken


def _answer(declared: Operation, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    given, headers = result if isinstance(result, tuple) else (result, {})
    text = given.model_dump_json(by_alias=True) if isinstance(given, BaseModel) else ""
    response = Response(text, declared.status, content_type=declared.media_type)
    if not text:
        del response.headers["Content-Type"]
    _add(response, headers)
    return response


def _add(response: Response, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        response.headers.add(name, value)
