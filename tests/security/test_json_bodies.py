"""What the REST endpoints read as JSON, and as a field (IN1–IN4, T4–T6; RG19)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from raw_http import exchanged
from world import PASSWORD, Tokens, World

VALID: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/auth/register"): {"email": "grace@example.com", "password": PASSWORD, "name": "Grace"},
    ("POST", "/auth/login"): {"email": "grace@example.com", "password": PASSWORD},
    ("POST", "/auth/refresh"): {"refreshToken": "x"},
    ("POST", "/auth/logout"): {"refreshToken": "x"},
    ("PATCH", "/auth/profile"): {"name": "Grace"},
}
ENDPOINTS = pytest.mark.parametrize("endpoint", VALID, ids=lambda it: it[1])
FIELDS = [(endpoint, field) for endpoint, body in VALID.items() for field in body]
PROBLEM = {"type", "title", "status", "detail", "error", "requestId"}

UNREADABLE = {
    "nothing": b"",
    "white space": b" \n",
    "half an object": b'{"email": "a',
    "trailing data": b"{} {}",
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // x",
    "deep arrays": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "17 levels": b'{"a":' * 17 + b"1" + b"}" * 17,
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "a name twice": b'{"name": "a", "name": "b"}',
    "a name twice inside": b'{"name": {"a": 1, "a": 1}}',
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "1e999": b'{"name": 1e999}',
    "a huge integer": b'{"name": ' + b"9" * 60_000 + b"}",
    "NUL": b'{"name": "a\\u0000b"}',
    "raw NUL": b'{"name": "a\0b"}',
    "NUL in a name": b'{"a\\u0000": 1}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "the other half": b'{"name": ["\\udfff"]}',
    "half a pair in a name": b'{"\\ud800": 1}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-32": "{}".encode("utf-32-le"),
    "Latin-1": b'{"name": "\xe9"}',
    "overlong UTF-8": b'{"name": "\xc0\x80"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "beyond Unicode": b'{"name": "\xf4\x90\x80\x80"}',
    "a control character": b'{"name": "a\nb"}',
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xab\xae\x05\0C\xbf\xa6\xa3\x02\0\0\0",
}


@pytest.fixture(scope="module")
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


async def sent(
    world: World, tokens: Tokens, endpoint: tuple[str, str], content: Any, content_type: str | None = "application/json"
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await world.http.request(*endpoint, content=content, headers=headers)


def problem(answer: httpx.Response, status: int, error: str) -> dict[str, Any]:
    """RFC 9457, with the id under which the log has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) - {"errors"} == PROBLEM
    assert (body["status"], body["error"], body["requestId"]) == (status, error, answer.headers["x-request-id"])
    return body


@ENDPOINTS
@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_is_no_json_object_is_refused(
    world: World, tokens: Tokens, endpoint: tuple[str, str], content: bytes
) -> None:
    """IN1, T4, T5: before anything else looks at it."""
    body = problem(await sent(world, tokens, endpoint, content), 400, "validation_failed")

    assert (body["title"], body.get("errors")) == ("Malformed request", None)


@ENDPOINTS
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "x", None]
)
async def test_only_the_type_of_json_is_read(
    world: World, tokens: Tokens, endpoint: tuple[str, str], content_type: str | None
) -> None:
    """SE9, T6, IN9: what a page of another site can send without asking is not read."""
    answer = await sent(world, tokens, endpoint, b'{"name": "Eve"}', content_type)

    problem(answer, 415, "unsupported_media_type")


@ENDPOINTS
async def test_a_request_without_a_body_is_refused(world: World, tokens: Tokens, endpoint: tuple[str, str]) -> None:
    problem(await sent(world, tokens, endpoint, b"", None), 415, "unsupported_media_type")


async def test_the_type_may_have_parameters(world: World, tokens: Tokens) -> None:
    body = b'{"name": "Ada"}'

    answer = await sent(world, tokens, ("PATCH", "/auth/profile"), body, "Application/JSON; charset=utf-8")

    assert answer.status_code == 200


@ENDPOINTS
async def test_a_body_that_is_too_large_is_refused(world: World, tokens: Tokens, endpoint: tuple[str, str]) -> None:
    """IN2."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    problem(await sent(world, tokens, endpoint, b" " * 65_537), 413, "payload_too_large")
    problem(await sent(world, tokens, endpoint, chunks()), 413, "payload_too_large")


@pytest.mark.parametrize(("endpoint", "field"), FIELDS)
async def test_a_field_that_is_missing_is_named(
    world: World, tokens: Tokens, endpoint: tuple[str, str], field: str
) -> None:
    body = {name: value for name, value in VALID[endpoint].items() if name != field}

    answer = await world.http.request(*endpoint, json=body, headers={"Authorization": f"Bearer {tokens.access_token}"})

    assert [it["field"] for it in problem(answer, 400, "validation_failed")["errors"]] == [field]


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [], ["x"], {}, {"$ne": 1}, 10**400, ""], ids=repr)
@pytest.mark.parametrize(("endpoint", "field"), FIELDS)
async def test_a_field_that_is_no_text_is_named(
    world: World, tokens: Tokens, endpoint: tuple[str, str], field: str, value: Any
) -> None:
    """IN4: no number is taken for a text."""
    answer = await world.http.request(
        *endpoint, json=VALID[endpoint] | {field: value}, headers={"Authorization": f"Bearer {tokens.access_token}"}
    )

    faults = problem(answer, 400, "validation_failed")["errors"]
    assert [it["field"] for it in faults] == [field]
    assert all(it["message"] for it in faults)


@pytest.mark.parametrize(
    "field", ["role", "roles", "isAdmin", "id", "emailVerified", "passwordHash", "createdAt", "x" * 5000]
)
@ENDPOINTS
async def test_a_field_that_there_is_not_is_named_and_sets_nothing(
    world: World, tokens: Tokens, endpoint: tuple[str, str], field: str
) -> None:
    """RG18, RG19: no mass assignment."""
    answer = await world.http.request(
        *endpoint, json=VALID[endpoint] | {field: "ADMIN"}, headers={"Authorization": f"Bearer {tokens.access_token}"}
    )

    assert [it["field"] for it in problem(answer, 400, "validation_failed")["errors"]] == [field[:100]]


async def test_every_fault_is_told_at_once_and_no_input_with_it(world: World) -> None:
    """LG1: an input may be a password."""
    answer = await world.post("/auth/register", email="nonsense-7f3a", password="canary-9b", name="c")

    faults = problem(answer, 400, "validation_failed")["errors"]
    assert {it["field"] for it in faults} == {"email", "password", "name"}
    assert not [text for text in ("nonsense-7f3a", "canary-9b") if text in answer.text]


async def test_a_body_of_a_get_is_not_read_as_a_second_request(world: World) -> None:
    """IN12."""
    inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(inner)

    answer = await exchanged(world.settings.issuer, request + inner)

    assert answer is not None
    assert answer.status == 200
