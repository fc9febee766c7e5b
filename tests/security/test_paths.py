"""What is not there, and what is asked for in odd ways (HD5, HD9, IN8, IN13)."""

from __future__ import annotations

import pytest
from raw_http import exchanged
from world import World

NOT_THERE = (
    "/.git/config",
    "/.env",
    "/debug",
    "/console",
    "/server-status",
    "/actuator/env",
    "/keys/",
    "/idp/settings.py",
    "/assets/../pyproject.toml",
    "/assets/..%2f..%2fpyproject.toml",
    "/assets//etc/passwd",
    "/templates/front.html",
    "/static/style.css",
    "/admin",
    "/oauth2/",
    "/swagger.json",
)


@pytest.mark.parametrize("path", NOT_THERE)
async def test_nothing_of_the_installation_is_served(world: World, path: str) -> None:
    """HD9."""
    answer = await exchanged(world.settings.issuer, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer is not None
    assert answer.status == 404
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND", "get", "GET\tX"])
@pytest.mark.parametrize("path", ["/auth/login", "/oauth2/token", "/.well-known/jwks.json", "/health"])
async def test_no_other_method_gets_further(world: World, method: str, path: str) -> None:
    """HD9, IN13."""
    answer = await exchanged(world.settings.issuer, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer is not None
    assert answer.status in (400, 404, 405)
    assert b"localhost" not in answer.body


@pytest.mark.parametrize("path", ["/admin/clients/%00", "/admin/clients/a%00b/secret", "/admin/users%00", "/health%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_path_with_a_nul_is_not_there_whoever_asks(world: World, method: str, path: str) -> None:
    """IN6: it would be an error of the database in the event that tells of the refusal, or in the statement."""
    user, admin = await world.signed_in(), await world.admin()

    statuses = {(await world.call(method, path, who, json={})).status_code for who in (user, admin)}

    assert statuses == {404}


KINDS = {
    "/": "text/html; charset=utf-8",
    "/api-docs": "text/html; charset=utf-8",
    "/assets/style.css": "text/css; charset=utf-8",
    "/openapi.json": "application/json",
    "/health": "application/json",
    "/.well-known/openid-configuration": "application/json",
    "/nowhere": "application/problem+json",
    "/auth/profile": "application/problem+json",
}


@pytest.mark.parametrize(("path", "kind"), KINDS.items())
async def test_every_answer_says_what_it_is(world: World, path: str, kind: str) -> None:
    """HD5."""
    answer = await world.http.get(path)

    assert answer.headers["content-type"] == kind


ODD_QUERIES = {
    "long": "?" + "a" * 7000,
    "many": "?" + "&".join(f"p{number}=1" for number in range(500)),
    "broken escape": "?a=%zz&b=%",
    "no utf-8": "?a=%ff%fe",
    "nul": "?a=%00",
    "semicolons": "?a=1;b=2;;",
    "question marks": "?????",
    "brackets": "?a[]=1&a[b]=2&[]",
    "method override": "?_method=DELETE",
}


@pytest.mark.parametrize("query", ODD_QUERIES.values(), ids=ODD_QUERIES)
@pytest.mark.parametrize(
    "path", ["/auth/profile", "/admin/users", "/health", "/openapi.json", "/.well-known/jwks.json"]
)
async def test_an_odd_query_changes_nothing_or_is_refused(world: World, path: str, query: str) -> None:
    """IN8."""
    head = f"GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    answer = await exchanged(world.settings.issuer, head)

    assert answer is not None
    assert answer.status in ((401,) if path.startswith(("/auth", "/admin")) else (200,))
