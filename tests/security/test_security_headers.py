"""The headers of every answer (HD3, HD4, IN13) and the id of each request."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from raw_http import exchanged
from world import World

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-xss-protection": "1; mode=block",
}
JSON = {"Content-Type": "application/json"}

ANSWERS: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "front page": (200, "GET", "/", {}),
    "style sheet": (200, "GET", "/assets/style.css", {}),
    "health": (200, "GET", "/health", {}),
    "head": (200, "HEAD", "/health", {}),
    "discovery": (200, "GET", "/.well-known/openid-configuration", {}),
    "keys": (200, "GET", "/.well-known/jwks.json", {}),
    "keys not modified": (304, "GET", "/.well-known/jwks.json", {"headers": {"If-None-Match": "*"}}),
    "keys preflight": (204, "OPTIONS", "/.well-known/jwks.json", {}),
    "keys method": (405, "POST", "/.well-known/jwks.json", {}),
    "logout": (204, "POST", "/auth/logout", {"json": {"refreshToken": "x"}}),
    "preflight": (204, "OPTIONS", "/auth/login", {"headers": {"Origin": "x", "Access-Control-Request-Method": "POST"}}),
    "malformed": (400, "POST", "/auth/login", {"content": b"{", "headers": JSON}),
    "no token": (401, "GET", "/auth/profile", {}),
    "no client": (401, "POST", "/oauth2/token", {"data": {"grant_type": "client_credentials"}}),
    "no grant": (400, "POST", "/oauth2/token", {"data": {}}),
    "nowhere": (404, "GET", "/nowhere", {}),
    "odd path": (404, "GET", "/%00%ff/..%2f", {}),
    "method": (405, "GET", "/auth/login", {}),
    "token method": (405, "GET", "/oauth2/token", {}),
    "too large": (413, "POST", "/auth/login", {"content": b" " * 65_537, "headers": JSON}),
    "too large form": (413, "POST", "/oauth2/token", {"content": b" " * 65_537}),
    "no json": (415, "POST", "/auth/login", {"content": b"{}"}),
}


@pytest.mark.parametrize(("status", "method", "path", "request_"), ANSWERS.values(), ids=ANSWERS)
async def test_every_answer_has_the_security_headers(
    world: World, status: int, method: str, path: str, request_: dict[str, Any]
) -> None:
    """HD3, HD4, HD1."""
    answer = await world.http.request(method, path, **request_)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|\*|https?:", policy)
    assert not {"server", "x-powered-by"} & set(answer.headers)
    assert len(answer.headers.get_list("cache-control")) == 1
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


@pytest.mark.parametrize("name", [name for name, (status, *_) in ANSWERS.items() if status >= 400])
async def test_no_refusal_is_kept_by_a_cache(world: World, name: str) -> None:
    """TE4."""
    _, method, path, request_ = ANSWERS[name]

    assert (await world.http.request(method, path, **request_)).headers["cache-control"] == "no-store"


async def test_a_failure_of_ours_says_nothing_but_where_to_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """HD3, LG4: no trace, no query, no path."""

    def broken(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(type(world.services.users), "find_with_password", broken)
    rest = await world.post("/auth/login", email="a@example.com", password="x")
    client = await world.client()
    grant = await world.token(client.auth, grant_type="password", username="a@example.com", password="x")

    assert (rest.status_code, grant.status_code) == (500, 500)
    assert rest.json()["error"] == "internal_error"
    assert rest.json()["requestId"] == rest.headers["x-request-id"]
    assert grant.json()["error"] == "server_error"
    for answer in (rest, grant):
        assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
        assert not re.search("SELECT|RuntimeError|Traceback|passwd", answer.text)


@pytest.mark.parametrize("claimed", ["a", "trace-1.2_3", "A" * 64])
async def test_a_well_formed_request_id_is_taken_over(world: World, claimed: str) -> None:
    answer = await world.http.get("/nowhere", headers={"X-Request-Id": claimed})

    assert answer.headers["x-request-id"] == answer.json()["requestId"] == claimed


@pytest.mark.parametrize("claimed", ["", "a b", "A" * 65, "é", 'a"b', "{x}", "a/b", "\x1b[31m", "a,b"])
async def test_any_other_is_replaced(world: World, claimed: str) -> None:
    """LG2."""
    request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + claimed.encode("latin-1") + b"\r\n\r\n"

    answer = await exchanged(world.settings.issuer, request)

    assert answer is not None
    if answer.status == 404:
        assert re.fullmatch(r"[0-9a-f]{16}", answer.header("x-request-id") or "")
    else:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/auth/login", "OPTIONS, POST"),
        ("/auth/profile", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/oauth2/token", "OPTIONS, POST"),
        ("/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND"])
async def test_a_method_that_is_not_served_is_answered_with_those_that_are(
    world: World, path: str, allowed: str, method: str
) -> None:
    """IN13, RFC 9110, section 15.5.6."""
    answer = await world.http.request(method, path)

    assert answer.status_code == 405
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_no_header_overrides_the_method(world: World, header: str) -> None:
    """IN13."""
    answer = await world.http.get("/auth/login", headers={header: "POST"})

    assert answer.status_code == 405


@pytest.mark.parametrize(
    "path", ["/.git/config", "/.env", "/debug", "/static/", "/assets/../app.py", "/assets/%2e%2e/app.py"]
)
async def test_nothing_is_served_that_is_no_route(world: World, path: str) -> None:
    """HD9."""
    answer: httpx.Response = await world.http.get(path)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (400, b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n"),
        (400, b"GET /health HTTP/1.1\r\nHost: x\r\nName\0: y\r\n\r\n"),
        (431, b"GET /health HTTP/1.1\r\nHost: x\r\nLong: " + b"a" * 200_000 + b"\r\n\r\n"),
    ],
)
async def test_what_cannot_be_read_as_http_gets_the_headers_and_a_problem_too(
    world: World, status: int, head: bytes
) -> None:
    """HD3, IN7."""
    answer = await exchanged(world.settings.issuer, head)

    assert answer is not None
    assert answer.status == status
    assert EXPECTED.items() <= dict(answer.headers).items()
    assert answer.json()["requestId"] == answer.header("x-request-id")
