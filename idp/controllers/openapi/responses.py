"""Answers that follow from how an operation is declared: its access policy, its limit, what it takes and refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idp.controllers.http.operation import Operation
from idp.domain.errors import (
    Forbidden,
    InvalidToken,
    Malformed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Refusal,
    RequestTimeout,
    TooMany,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)

Json = dict[str, Any]

PROBLEM = {"$ref": "#/components/schemas/Problem"}

# Every refusal on /auth, /admin and the rest that is no RFC's own (RFC 9457).
PROBLEM_SCHEMA: Json = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). `error` is stable, `detail` is for people; `errors` names fields to change.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "error", "requestId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

HEADERS: Mapping[str, Json] = {
    "Device-Token": {"description": "To present at the next sign-in from this device.", "schema": {"type": "string"}},
    "Set-Cookie": {"description": "The same as a cookie.", "schema": {"type": "string"}},
    "X-Request-Id": {"description": "Names this exchange in the log.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit-Limit": {"description": "Calls in a window.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit-Remaining": {"description": "Calls left in this window.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit-Reset": {
        "description": "Seconds until all calls are left.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How to authenticate (RFC 6750).", "schema": {"type": "string"}},
    "ETag": {"description": "The version; send it as If-Match.", "schema": {"type": "string"}},
}
LIMITED = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def refusals(declared: Operation, access: str, *, limited: bool, variables: bool) -> list[type[Refusal]]:
    """All that an operation declared so may refuse, in the order of their statuses, Unavailable aside."""
    found = list(declared.refuses)
    if declared.takes or declared.query:
        found += [ValidationFailed, Malformed]
    if declared.takes:
        found += [RequestTimeout, PayloadTooLarge, UnsupportedMediaType]
    if access in ("user", "admin"):
        found += [InvalidToken, Forbidden]
    if limited:
        found.append(RateLimited)
    if variables:
        found.append(NotFound)
    return sorted(dict.fromkeys(found), key=lambda refusal: (refusal.status, refusal.error))


def described(refused: Iterable[type[Refusal]], *, limited: bool) -> Json:
    """OpenAPI Responses Object of *refused*."""
    answers: Json = {}
    for refusal in refused:
        answer = answers.setdefault(str(refusal.status), _problem(refusal, limited=limited))
        if f"`{refusal.error}`" not in answer["description"]:
            answer["description"] += f" `{refusal.error}`: {refusal.title}."
    return answers


def headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _problem(refusal: type[Refusal], *, limited: bool) -> Json:
    names: tuple[str, ...] = LIMITED if limited else ()
    if issubclass(refusal, TooMany):
        names = ("Retry-After", *LIMITED)
    if issubclass(refusal, Unavailable):
        names = ("Retry-After", *names)
    if issubclass(refusal, InvalidToken):
        names = ("WWW-Authenticate", *names)
    return {
        "description": f"`{refusal.error}`: {refusal.title}.",
        "headers": headers(*names),
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
