"""
Answers in JSON, and refusals in the form that their part of the API promises.

`/oauth2/*` speaks RFC 6749, section 5.2; everything else `application/problem+json` (RFC 9457) with a stable `error` code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from idp.controllers.http.exchange import Send
from idp.domain.errors import (
    InvalidCredentials,
    InvalidToken,
    MethodNotAllowed,
    NotFound,
    Refusal,
    TooMany,
    Unavailable,
    ValidationFailed,
)

Headers = list[tuple[bytes, bytes]]

# What a page of another origin may read beyond the body, where it may read that (Fetch, CORS).
EXPOSED_HEADERS = (
    b"device-token, etag, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id"
)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    body: bytes
    headers: Headers = field(default_factory=list)

    async def send(self, send: Send) -> None:
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(status: int, body: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> HttpAnswer:
    return HttpAnswer(status, orjson.dumps(body), [(b"content-type", b"application/json"), *headers])


class InternalError(Refusal):
    """What the caller is told of a fault of ours: nothing but where to find it in the log."""

    status, error, title = 500, "internal_error", "Internal error"
    detail = "Something went wrong here. The log has it under this request id."


def refusal_answer(refusal: Refusal, path: str, request_id: str) -> HttpAnswer:
    return _oauth_error(refusal) if path.startswith("/oauth2/") else _problem(refusal, request_id)


def _problem(refusal: Refusal, request_id: str) -> HttpAnswer:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "error": refusal.error,
        "requestId": request_id,
    }
    if isinstance(refusal, ValidationFailed):
        body["errors"] = [{"field": fault.field, "message": fault.message} for fault in refusal.errors]
    headers = [(b"content-type", b"application/problem+json"), *_common(refusal)]
    if isinstance(refusal, InvalidToken):
        headers.append((b"www-authenticate", b'Bearer realm="idp", error="invalid_token"'))
    return HttpAnswer(refusal.status, orjson.dumps(body), headers)


# The codes of RFC 6749 for what the edge refuses before Authlib sees it.
_OAUTH_CODES: dict[type[Refusal], str] = {
    Unavailable: "temporarily_unavailable",
    InternalError: "server_error",
    NotFound: "not_found",
    InvalidToken: "invalid_grant",
    InvalidCredentials: "invalid_grant",
}


def _oauth_error(refusal: Refusal) -> HttpAnswer:
    # RFC 6749 has no code for too many requests: section 8.5 lets a server define more.
    own = refusal.error if isinstance(refusal, TooMany) else "invalid_request"
    code = next((code for kind, code in _OAUTH_CODES.items() if isinstance(refusal, kind)), own)
    status = 400 if refusal.status == 415 else refusal.status
    return json_answer(status, {"error": code, "error_description": refusal.detail}, _common(refusal))


def _common(refusal: Refusal) -> Headers:
    headers: Headers = [(b"cache-control", b"no-store")]
    if isinstance(refusal, (Unavailable, TooMany)):
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    if isinstance(refusal, MethodNotAllowed) and refusal.allowed:
        headers.append((b"allow", ", ".join(refusal.allowed).encode()))
    return headers
