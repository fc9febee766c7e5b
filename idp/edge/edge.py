"""The edge itself: what happens to a request before and after the application inside."""

from __future__ import annotations

import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from idp.controllers.http.answers import Headers, HttpAnswer, InternalError, refusal_answer
from idp.controllers.http.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from idp.domain.audit.events import Origin, origin
from idp.domain.errors import HeadersTooLarge, PayloadTooLarge, Refusal, RequestTimeout, Unavailable
from idp.domain.operation.limits import Taken, taken
from idp.edge.addresses import Addresses
from idp.edge.bodies import Disconnected, decoded_form, decoded_json, read
from idp.edge.cors import Cors
from idp.edge.framing import Ambiguous, Authorities, check, resolve
from idp.edge.security_headers import completed

log = structlog.get_logger("idp.http")

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
JSON_PATHS = ("/auth/", "/admin/", "/oauth2/register")
# Endpoints whose callers are programs: what cannot be read is refused here, before anything else is looked at.
PROTOCOL = "/oauth2/"
# Pages among them, which say in HTML what is wrong.
PAGES = ("/oauth2/authorize", "/oauth2/logout")
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class _Answered:
    """What has been sent so far. *status* 0: nothing. *refused*: what is sent is a refusal of the edge."""

    status: int = 0
    refused: bool = False


class Edge:
    """
    *log_request* is called with method, path, status, seconds, address and request_id once a request is over, *count* with
    its method, route, status and seconds.
    """

    def __init__(
        self,
        inside: Any,
        *,
        addresses: Addresses,
        authorities: Authorities,
        cors: Cors,
        log_request: Callable[..., None],
        count: Callable[[str, str, int, float], None],
    ) -> None:
        self._log_request = log_request
        self._count = count
        self._inside = inside
        self._addresses = addresses
        self._authorities = authorities
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        if not scope["path"].startswith("/"):
            resolve(scope, self._authorities)
        exchange = self._exchange(scope)
        agent = exchange.header(b"user-agent")
        origin.set(Origin(address=exchange.address, request_id=exchange.request_id, user_agent=agent))
        taken.set(Taken())
        scope[SCOPE_KEY] = exchange
        answered = _Answered()
        dressed = self._dressed(exchange, send, answered)
        try:
            await self._serve(scope, receive, dressed, exchange, answered)
        except Disconnected:
            answered.status = 499
        finally:
            seconds = time.perf_counter() - started
            self._count(exchange.method, exchange.route, answered.status, seconds)
            self._log_request(
                method=exchange.method,
                path=exchange.path,
                status=answered.status,
                seconds=seconds,
                address=exchange.address,
                request_id=exchange.request_id,
            )

    def _exchange(self, scope: Scope) -> Exchange:
        headers: dict[bytes, list[bytes]] = defaultdict(list)
        for name, value in scope["headers"]:
            headers[name].append(value)
        claimed_id = headers[b"x-request-id"][0] if b"x-request-id" in headers else b""
        peer = (scope.get("client") or ("unknown", 0))[0]
        return Exchange(
            request_id=claimed_id.decode() if REQUEST_ID.fullmatch(claimed_id) else secrets.token_hex(8),
            address=self._addresses.of(peer, headers.get(b"x-forwarded-for", ())),
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b""),
            headers=dict(headers),
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange, answered: _Answered) -> None:
        try:
            check(scope, exchange)
            if await self._preflight(exchange, send):
                return
            body = await self._read(receive, exchange)
            await self._inside(scope, _replay(body, receive), send)
        except Disconnected:
            raise
        except Refusal as refusal:
            await _refuse(refusal, exchange, send, answered)
        except Exception:
            log.exception("unhandled_exception", request_id=exchange.request_id, path=exchange.path[:256])
            await _refuse(InternalError(), exchange, send, answered)

    async def _read(self, receive: Receive, exchange: Exchange) -> bytes:
        """The body, decoded as its part of the server wants it. What cannot be is left to the route, but of the protocol."""
        if exchange.method not in WITH_BODY:
            return b""
        try:
            body = await read(receive, exchange.headers.get(b"content-length", [None])[0])
            _decode(body, exchange)
        except Refusal as refusal:
            if _is_protocol(exchange.path):
                raise
            exchange.unreadable = refusal
            return b""
        return body

    async def _preflight(self, exchange: Exchange, send: Send) -> bool:
        page = exchange.header(b"origin")
        if page is None or not _is_preflight(exchange):
            return False
        headers = await self._cors.preflight(exchange.path, page)
        if headers is None:
            return False
        await HttpAnswer(204, b"", headers).send(send)
        return True

    def _dressed(self, exchange: Exchange, send: Send, answered: _Answered) -> Send:
        """*send* with the headers that every answer has."""

        async def dressed(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                headers = [(bytes(name).lower(), bytes(value)) for name, value in message["headers"]]
                if not _is_preflight(exchange):
                    page = exchange.header(b"origin")
                    headers += await self._cors.answer(exchange.path, page, refused=answered.refused)
                headers.append((b"x-request-id", exchange.request_id.encode()))
                headers += _limit_headers()
                if _ends_connection(exchange.unreadable):
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": completed(headers)}
            await send(message)

        return dressed


def _limit_headers() -> Headers:
    decision = taken.get().decision
    if decision is None:
        return []
    return [
        (b"ratelimit-limit", b"%d" % decision.limit),
        (b"ratelimit-remaining", b"%d" % decision.remaining),
        (b"ratelimit-reset", b"%d" % decision.reset),
    ]


def _is_protocol(path: str) -> bool:
    return path.startswith(PROTOCOL) and path not in PAGES and not path.startswith(JSON_PATHS)


def _decode(body: bytes, exchange: Exchange) -> None:
    content_type = exchange.header(b"content-type")
    if exchange.path.startswith(JSON_PATHS):
        exchange.json = decoded_json(body, content_type)
    elif exchange.method == "POST":
        exchange.form = decoded_form(body, content_type)


def _is_preflight(exchange: Exchange) -> bool:
    wanted = (b"origin", b"access-control-request-method")
    return exchange.method == "OPTIONS" and all(name in exchange.headers for name in wanted)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then whatever comes: a disconnect."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return waiting.pop() if waiting else await receive()

    return replay


def _ends_connection(refusal: Refusal | None) -> bool:
    """The rest of the body is still on its way, or may be: what follows must not be taken for another request."""
    return isinstance(refusal, (Ambiguous, HeadersTooLarge, PayloadTooLarge, RequestTimeout))


async def _refuse(refusal: Refusal, exchange: Exchange, send: Send, answered: _Answered) -> None:
    if answered.status:
        return  # half an answer is out: all that is left is to end the connection
    if isinstance(refusal, Unavailable):
        log.warning("unavailable", reason=str(refusal), request_id=exchange.request_id)
    answered.refused = True
    answer = refusal_answer(refusal, exchange.path, exchange.request_id)
    if _ends_connection(refusal):
        answer.headers.append((b"connection", b"close"))
    await answer.send(send)
