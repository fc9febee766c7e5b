"""Which pages may read which answers (Fetch; group O)."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
    assert (
        asked.headers["access-control-allow-headers"]
        == "authorization, content-type, device-token, if-match, x-request-id"
    )
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
        *("/authx", "/oauth2/tokens/x"),
    ],
)
async def test_no_page_may_read_the_rest(world: World, path: str) -> None:
    """CO3: pages and administration are for no other origin."""
    for answer in (
        await preflight(world, path, "https://evil.example"),
        await world.http.get(path, headers={"Origin": "https://evil.example"}),
    ):
        assert allows(answer) is None
