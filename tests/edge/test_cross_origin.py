"""Which pages may read which answers (Fetch; group O)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from world import Registered, World

PAGE = "https://app.example"  # configured for /auth
SPA = "https://spa.example"  # of one client
EVIL = [
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "https://app.example/",
    "https://app.exampl\xe9",
    "*",
    "",
]


@pytest.fixture
async def client(world: World) -> AsyncIterator[Registered]:
    client = await world.client(public=True, origins=(SPA,))
    yield client
    await world.services.clients.remove(client.client_id)


def allows(answer: httpx.Response) -> str | None:
    return answer.headers.get("access-control-allow-origin")


def headers_allowed(asked: httpx.Response) -> set[str]:
    return set(asked.headers["access-control-allow-headers"].split(", "))


async def preflight(world: World, path: str, origin: str, method: str = "POST") -> httpx.Response:
    headers = {"Origin": origin.encode("latin-1"), "Access-Control-Request-Method": method.encode()}
    return await world.http.options(path, headers=headers)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/jwks.json"])
@pytest.mark.parametrize("origin", [PAGE, "https://evil.example", "null"])
async def test_any_page_may_read_what_is_public(world: World, path: str, origin: str) -> None:
    """CO2: without credentials."""
    for answer in (await world.http.get(path, headers={"Origin": origin}), await preflight(world, path, origin, "GET")):
        assert allows(answer) == "*"
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_configured_page_may_call_rest_with_credentials(world: World) -> None:
    """CO5: the methods and headers that are needed, and no more."""
    asked = await preflight(world, "/auth/login", PAGE)
    answered = await world.http.post("/auth/login", json={}, headers={"Origin": PAGE})

    for answer in (asked, answered):
        assert allows(answer) == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE"
    assert {"authorization", "content-type", "device-token", "if-match", "x-request-id"} <= headers_allowed(asked)
    assert int(asked.headers["access-control-max-age"]) > 0
    assert "retry-after" in answered.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", EVIL)
async def test_no_other_page_may_call_rest(world: World, client: Registered, origin: str) -> None:
    """CO1; Casdoor CVE-2024-41657: compared exactly, never reflected. `Vary` also then, or a cache would mix the answers up."""
    raw = {"Origin": origin.encode("latin-1")}
    for answer in (
        await preflight(world, "/auth/login", origin),
        await world.http.post("/auth/login", json={}, headers=raw),
        await world.http.get("/auth/profile", headers=raw),
    ):
        assert allows(answer) is None
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["vary"] == "Origin"


async def test_answers_of_rest_vary_by_origin_without_one_too(world: World) -> None:
    """CO5."""
    assert (await world.http.get("/auth/profile")).headers["vary"] == "Origin"


async def test_a_page_of_a_client_may_call_the_token_endpoint_but_not_rest(world: World, client: Registered) -> None:
    """CO2: without credentials, the client names itself."""
    asked = await preflight(world, "/oauth2/token", SPA)

    assert (asked.status_code, allows(asked), asked.headers["vary"]) == (204, SPA, "Origin")
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert "access-control-allow-credentials" not in asked.headers
    assert allows(await preflight(world, "/auth/login", SPA)) is None


async def test_a_client_s_pages_read_its_answers_and_its_errors(world: World, client: Registered) -> None:
    """CO2, CO4; Keycloak CVE-2026-37977: decided by the client that is registered."""
    tokens = await world.signed_in(client)

    async def sent(origin: str, **fields: str) -> httpx.Response:
        data = {"grant_type": "refresh_token", "client_id": client.client_id} | fields
        return await world.http.post("/oauth2/token", data=data, headers={"Origin": origin})

    good, bad = await sent(SPA, refresh_token=tokens.refresh_token), await sent(SPA, refresh_token="x")

    assert [(it.status_code, allows(it), it.headers["vary"]) for it in (good, bad)] == [
        (200, SPA, "Origin"),
        (400, SPA, "Origin"),
    ]


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "json": (400, {"json": {"grant_type": "refresh_token"}}),
    "not utf-8": (400, {"content": b"grant_type=%ff", "headers": FORM}),
    "raw bytes": (400, {"content": b"grant_type=\xff", "headers": FORM}),
    "too large": (413, {"content": b"a" * 70_000, "headers": FORM}),
    "too many fields": (400, {"content": b"a=b&" * 200, "headers": FORM}),
    "NUL": (400, {"content": b"a=%00", "headers": FORM}),
    "query": (400, {"params": {"client_id": "x"}}),
    "two credentials": (400, {"headers": [("Authorization", "Basic eDp5"), ("Authorization", "Basic eDp6")]}),
    "method": (405, {"method": "GET"}),
    "another method": (405, {"method": "PATCH"}),
}


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke"])
@pytest.mark.parametrize("kind", REFUSED)
async def test_a_page_of_a_client_reads_why_its_request_was_refused_before_the_client_was_known(
    world: World, client: Registered, path: str, kind: str
) -> None:
    """CO2, CO6: a page that cannot read this sees a network error. No other page may."""
    status, request = REFUSED[kind]

    async def sent(origin: str) -> httpx.Response:
        headers = [*httpx.Headers(request.get("headers")).multi_items(), ("Origin", origin)]
        return await world.http.request(**{"method": "POST"} | request | {"url": path, "headers": headers})

    own, evil = await sent(SPA), await sent("https://evil.example")

    assert (own.status_code, allows(own), own.headers["vary"]) == (status, SPA, "Origin")
    assert "retry-after" in own.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in own.headers
    assert own.json()["error"] == "invalid_request"
    assert (evil.status_code, allows(evil), evil.headers["vary"]) == (status, None, "Origin")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/profile", "/auth/nowhere", "/oauth2/userinfo"])
@pytest.mark.parametrize("kind", REFUSED)
async def test_pages_read_the_refusals_of_everything_else_that_they_may_call(
    world: World, client: Registered, path: str, kind: str
) -> None:
    """CO6."""
    request = REFUSED[kind][1]
    origin = PAGE if path.startswith("/auth/") else SPA
    headers = [*httpx.Headers(request.get("headers")).multi_items(), ("Origin", origin)]

    answer = await world.http.request(**{"method": "POST"} | request | {"url": path, "headers": headers})

    assert (allows(answer), answer.headers["vary"]) == (origin, "Origin")
    assert answer.status_code >= 400


ADDED = {"traceparent", "tracestate", "baggage", "sentry-trace", "b3", "x-datadog-trace-id", "x-requested-with"}


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo", "/auth/login", "/admin/users"])
async def test_a_preflight_allows_what_tracing_and_libraries_add(world: World, client: Registered, path: str) -> None:
    """CO5: each of these would make the page's request fail, and says nothing that is believed here."""
    asked = await preflight(world, path, SPA if path.startswith("/oauth2/") else PAGE)

    assert headers_allowed(asked) >= ADDED


async def test_any_other_header_is_allowed_where_no_cookie_is(world: World, client: Registered) -> None:
    """CO5: as by discovery; with credentials the star is a name like others (Fetch, CORS protocol and credentials)."""
    assert "*" in headers_allowed(await preflight(world, "/oauth2/token", SPA))
    assert "*" not in headers_allowed(await preflight(world, "/auth/login", PAGE))


async def test_another_client_s_page_may_not_read_the_answer(world: World, client: Registered) -> None:
    """CO4: the preflight cannot know the client yet; the answer does."""
    other = await world.client(origins=())

    answer = await world.http.post(
        "/oauth2/token", data={"grant_type": "client_credentials"}, auth=other.auth, headers={"Origin": SPA}
    )

    assert (answer.status_code, allows(answer), answer.headers["vary"]) == (200, None, "Origin")


@pytest.mark.parametrize("origin", [*EVIL, PAGE])
async def test_no_other_page_may_call_the_token_endpoint(world: World, client: Registered, origin: str) -> None:
    """CO1."""
    raw = {"Origin": origin.encode("latin-1")}
    answer = await world.http.post(
        "/oauth2/token", data={"grant_type": "x", "client_id": client.client_id}, headers=raw
    )

    assert allows(answer) is allows(await preflight(world, "/oauth2/token", origin)) is None
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("properties", [{"enabled": False}, {"origins": ()}])
async def test_a_client_that_is_disabled_or_changed_takes_its_pages_with_it(
    world: World, client: Registered, properties: dict[str, object]
) -> None:
    await world.changed_client(client, **properties)

    assert allows(await preflight(world, "/oauth2/token", SPA)) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/health", "/oauth2/authorize", "/oauth2/logout", "/login", "/logout", "/admin/users", "/nowhere"),
        *("/authx", "/oauth2/tokens/x", "/oauth2/token/", "/oauth2/introspect", "/oauth2/register"),
    ],
)
async def test_no_page_may_read_the_rest(world: World, client: Registered, path: str) -> None:
    """CO3: pages and administration are for no other origin, whatever they answer."""
    for origin in ("https://evil.example", SPA):
        for answer in (
            await preflight(world, path, origin),
            await world.http.get(path, headers={"Origin": origin}),
            await world.http.post(path, content=b"\xff", headers={"Origin": origin} | FORM),
        ):
            assert allows(answer) is None
