"""Who may call /admin: every route that there is, with every credential that is not an administrator's (group AD)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from forger import Forger, forger_of
from raw_http import exchanged
from world import Tokens, World

from idp.app import beside_quart, pages_of, quart_app
from idp.controllers.openapi.document import Route
from idp.controllers.openapi.routes import routes_of
from idp.domain.accounts.users import Role

POLICIES = {"public", "user", "admin", "client", "metrics"}
UNLIMITED = {"/auth/refresh"}  # limited per user, where the user is known


@pytest.fixture(scope="module")
def routes(world: World) -> list[Route]:
    return routes_of(quart_app(world.services, world.settings))


@pytest.fixture(scope="module")
def admin_routes(routes: list[Route]) -> list[tuple[str, str]]:
    """Method and path, with something that might be there in place of each variable."""
    made = []
    for route in routes:
        if route.path.startswith("/admin"):
            path = route.path
            for variable in ("<uuid:user_id>", "<uuid:session_id>"):
                path = path.replace(variable, str(uuid4()))
            made.append((route.method, path.replace("<anything:client_id>", "idp-rest")))
    assert not any("<" in path for _, path in made), "a variable that this test does not know"
    return made


@pytest.fixture(scope="module")
async def fallen(world: World) -> Tokens:
    """An administrator whose access token is used when it is one no more."""
    return await world.admin()


@pytest.fixture(scope="module")
async def forger(world: World) -> Forger:
    return await forger_of(world, await world.admin())


# The declarations.


def test_every_path_declares_who_may_call_it(world: World, routes: list[Route]) -> None:
    """AD2: the application does not start otherwise; this is the list of what it may say."""
    beside = beside_quart(world.services, world.settings, pages_of(world.settings))

    declared = {route.path: route.access for route in routes} | {path: it.access for path, it in beside.items()}

    assert set(declared.values()) <= POLICIES
    assert {it for path, it in declared.items() if path.startswith("/admin")} == {"admin"}


def test_every_path_of_users_and_administrators_declares_a_limit(routes: list[Route]) -> None:
    unlimited = {
        route.path
        for route in routes
        if route.path.startswith(("/auth/", "/admin/")) and getattr(route.view, "limit", None) is None
    }

    assert unlimited <= UNLIMITED


# The matrix. AD1: generated from the routes, so that one that comes is covered by itself.


async def statuses(world: World, routes: list[tuple[str, str]], authorization: str | None) -> set[int]:
    headers = {"Authorization": authorization} if authorization is not None else {}

    async def call(method: str, path: str) -> int:
        body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        answer = await world.http.request(method, path, headers=headers, **body)  # type: ignore[arg-type]
        assert answer.json()["error"] in ("invalid_token", "forbidden"), f"{method} {path}: {answer.text}"
        return answer.status_code

    return set(await asyncio.gather(*(call(method, path) for method, path in routes)))


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer e30.e30.e30"])
async def test_without_a_token_nothing_is_told(
    world: World, admin_routes: list[tuple[str, str]], authorization: str | None
) -> None:
    """AD1."""
    assert await statuses(world, admin_routes, authorization) == {401}


async def test_a_user_may_nothing_and_leaves_an_event(world: World, admin_routes: list[tuple[str, str]]) -> None:
    """AD1, AD11; Keycloak CVE-2024-3656, authentik CVE-2024-42490: however wide the scope is."""
    tokens = await world.signed_in(await world.client(scope="openid admin *"), scope="openid admin *")
    user_id = (await world.session(tokens))["user_id"]

    assert await statuses(world, admin_routes, f"Bearer {tokens.access_token}") == {403}

    denied = await world.events("access_denied", user_id=user_id)
    assert {(event["detail"]["method"], event["detail"]["path"]) for event in denied} == set(admin_routes)


async def test_a_client_may_nothing(world: World, admin_routes: list[tuple[str, str]]) -> None:
    """AD1: its token stands for no user, whatever its id and its scope say."""
    client = await world.client(scope="openid admin")
    answer = await world.token(client.auth, grant_type="client_credentials", scope="admin")

    assert await statuses(world, admin_routes, f"Bearer {answer.json()['access_token']}") == {401}


@pytest.mark.parametrize("kind", ["forged", "expired", "not signed", "of another audience", "refresh token"])
async def test_a_token_that_is_no_good_may_nothing(
    world: World, admin_routes: list[tuple[str, str]], forger: Forger, kind: str
) -> None:
    """AD1."""
    hour_ago = int(time.time()) - 3600
    token = {
        "forged": lambda: forger.signed(key=forger.foreign_key),
        "expired": lambda: forger.with_claims(iat=hour_ago - 900, exp=hour_ago),
        "not signed": lambda: f"{forger.genuine.rpartition('.')[0]}.",
        "of another audience": lambda: forger.with_claims(aud="https://elsewhere.example"),
        "refresh token": lambda: "idp_rt_x",
    }[kind]()

    assert await statuses(world, admin_routes, f"Bearer {token}") == {401}


async def test_an_ended_session_may_nothing(world: World, admin_routes: list[tuple[str, str]]) -> None:
    """AD1."""
    admin = await world.admin()
    await world.post("/auth/logout", refreshToken=admin.refresh_token)

    assert await statuses(world, admin_routes, f"Bearer {admin.access_token}") == {401}


async def test_a_disabled_administrator_may_nothing(world: World, admin_routes: list[tuple[str, str]]) -> None:
    """AD1, PW22."""
    admin = await world.admin()
    await world.services.user_administration.disable(admin.email)

    assert await statuses(world, admin_routes, f"Bearer {admin.access_token}") == {401}


async def test_who_was_an_administrator_may_nothing_with_the_old_token(
    world: World, admin_routes: list[tuple[str, str]], fallen: Tokens
) -> None:
    """AD1, AD5: the token still says ADMIN. It counts on the very next call."""
    before = await world.call("GET", "/admin/keys", fallen)
    await world.services.user_administration.set_roles(fallen.email, [Role.USER])

    assert before.status_code == 200
    assert await statuses(world, admin_routes, f"Bearer {fallen.access_token}") == {403}


async def test_who_becomes_an_administrator_is_one_with_the_old_token(world: World) -> None:
    """AD5: the present state decides, in both directions."""
    user = await world.signed_in()
    refused = await world.call("GET", "/admin/keys", user)

    await world.services.user_administration.set_roles(user.email, [Role.USER, Role.ADMIN])

    assert (refused.status_code, (await world.call("GET", "/admin/keys", user)).status_code) == (403, 200)


# Other ways to say the same path.


def spellings(path: str) -> Iterator[str]:
    """As a proxy, a router or a browser might normalise it."""
    part, rest = path[1:].split("/", 1)
    yield from (
        f"//{part}/{rest}",
        f"/{part}//{rest}",
        f"{path}/",
        f"{path}//",
        f"/./{part}/{rest}",
        f"/{part}/./{rest}",
    )
    yield from (f"/x/../{part}/{rest}", f"/auth/../{part}/{rest}", f"/{part}/x/../{rest}", f"/auth/..;/{part}/{rest}")
    yield from (
        f"/{part};/{rest}",
        f"/{part};x=y/{rest}",
        f"{path};",
        f"{path};a=b",
        f"{path}.json",
        f"{path}.",
        f"{path}%20",
    )
    yield from (
        f"/{part.upper()}/{rest}",
        f"/{part.title()}/{rest}",
        f"/{part}/{rest.upper()}",
        f"/{part}/{rest.title()}",
    )
    yield from (
        f"/%61dmin/{rest}",
        f"/{part}%2f{rest}",
        f"/{part}%2F{rest}",
        f"/{part}%252f{rest}",
        f"/%2561dmin/{rest}",
    )
    yield from (
        f"/%2e/{part}/{rest}",
        f"/auth/%2e%2e/{part}/{rest}",
        f"/auth/..%2f{part}/{rest}",
        f"/{part}/%2e%2e/{part}/{rest}",
    )
    yield from (
        f"/{part}\\{rest}",
        f"/{part}%5c{rest}",
        f"\\{part}\\{rest}",
        f"{path}%00",
        f"/{part}%00/{rest}",
        f"{path}%0a",
    )
    yield from (f"{path}?", f"{path}?x=/health", f"{path}#x", f"/{part}/{rest}%3f", f"/{part}/{rest}%23", f"{path}%09")
    yield from (f"/health/../{part}/{rest}", f"/.well-known/../{part}/{rest}", f"/%u0061dmin/{rest}", f"/ａdmin/{rest}")
    yield from (f"http://localhost{path}", f"//localhost{path}", f"/{part}/{rest}/..;/", f"/{part}/{rest}/../{rest}")


@pytest.mark.parametrize("path", ["/admin/users", "/admin/keys"])
async def test_no_spelling_of_a_path_goes_past_the_guard(world: World, path: str) -> None:
    """AD12; Oathkeeper CVE-2026-33494."""
    tried = list(spellings(path))
    for spelling in tried:
        request = f"GET {spelling} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        answer = await exchanged(world.settings.issuer, request)
        assert answer is None or answer.status in (400, 401, 404), f"{spelling}: {answer.status}"
    assert len(tried) >= 50


@pytest.mark.parametrize("path", ["/%61dmin/users", "/admin%2fusers", "/admin%2Fusers", "/%61%64%6d%69%6e/users"])
async def test_the_prefix_that_a_proxy_keeps_to_itself_has_one_spelling(world: World, path: str) -> None:
    """AD12: for an administrator too."""
    admin = await world.admin()
    headers = f"Host: localhost\r\nAuthorization: Bearer {admin.access_token}\r\nConnection: close\r\n\r\n"

    answer = await exchanged(world.settings.issuer, f"GET {path} HTTP/1.1\r\n{headers}".encode())

    assert answer is not None
    assert answer.status == 404


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
async def test_no_header_changes_the_method(world: World, header: str) -> None:
    """AD12."""
    admin, user = await world.admin(), await world.signed_in()
    path = f"/admin/users/{user.body['user']['id']}"

    answer = await world.call("GET", path, admin, headers={header: "DELETE"})

    assert answer.status_code == 200
    assert (await world.profile(user.access_token)).status_code == 200


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"])
async def test_no_header_changes_the_path(world: World, header: str) -> None:
    """AD12."""
    away = await world.http.get("/admin/users", headers={header: "/health"})
    there = await world.http.get("/health", headers={header: "/admin/users"})

    assert away.status_code == 401
    assert there.json() == {"status": "ok", "checks": {}}


# Pages.


async def preflight(world: World, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
    return await world.http.options("/admin/users", headers=headers)


async def test_a_configured_page_may_call_without_cookies(world: World) -> None:
    """CO3: what /admin takes is a bearer token."""
    page = "https://app.example"

    asked = await preflight(world, page)
    answered = await world.http.get("/admin/users", headers={"Origin": page})

    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "GET, POST, PUT, DELETE")
    assert "if-match" in asked.headers["access-control-allow-headers"]
    for answer in (asked, answered):
        assert answer.headers["access-control-allow-origin"] == page
        assert "access-control-allow-credentials" not in answer.headers
    assert "etag" in answered.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil.example"])
async def test_no_other_page_may(world: World, origin: str) -> None:
    """CO1, CO3."""
    for answer in (await preflight(world, origin), await world.http.get("/admin/users", headers={"Origin": origin})):
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
