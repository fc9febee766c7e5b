"""How the issuer's path is taken off the paths of requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from world import World

from idp.app import create_app
from idp.edge.issuer_path import IssuerPath


async def seen(path: str, raw: str | None, issuer_path: str = "/a/id") -> tuple[str, bytes | None]:
    """What the application inside is asked for."""
    found: list[dict[str, Any]] = []

    async def inside(scope: dict[str, Any], receive: object, send: object) -> None:
        found.append(scope)

    scope: dict[str, Any] = {"type": "http", "path": path, "root_path": "/a/id"}
    scope |= {"raw_path": raw.encode()} if raw is not None else {}
    await IssuerPath(inside, issuer_path)(scope, None, None)  # type: ignore[arg-type]
    assert scope["path"] == path
    return found[0]["path"], found[0].get("raw_path")


@pytest.mark.parametrize(
    ("raw", "path", "inside"),
    [
        ("/a/id", "/a/id", ("/", b"/")),
        ("/a/id/", "/a/id/", ("/", b"/")),
        ("/a/id/login", "/a/id/login", ("/login", b"/login")),
        ("/a/id/a/id/login", "/a/id/a/id/login", ("/a/id/login", b"/a/id/login")),
        ("/a/id/admin/users/%C3%A4", "/a/id/admin/users/ä", ("/admin/users/ä", b"/admin/users/%C3%A4")),
        ("/a/id/%61dmin/users", "/a/id/admin/users", ("/admin/users", b"/%61dmin/users")),
        ("/a/id//login", "/a/id//login", ("//login", b"//login")),
        (None, "/a/id/login", ("/login", b"/login")),
        # Not below the path: taken as it is, since a proxy may have stripped it.
        ("/login", "/login", ("/login", b"/login")),
        ("/a/idp/login", "/a/idp/login", ("/a/idp/login", b"/a/idp/login")),
        ("/a", "/a", ("/a", b"/a")),
        ("/A/ID/login", "/A/ID/login", ("/A/ID/login", b"/A/ID/login")),
        ("//a/id/login", "//a/id/login", ("//a/id/login", b"//a/id/login")),
        ("/.well-known/oauth-authorization-server/a/id", "/.well-known/oauth-authorization-server/a/id",
         ("/.well-known/oauth-authorization-server/a/id", b"/.well-known/oauth-authorization-server/a/id")),
        # Respelled: nothing is called so.
        ("/a/%69d/login", "/a/id/login", ("/a/%69d/login", b"/a/%69d/login")),
        ("/a%2Fid/login", "/a/id/login", ("/a%2Fid/login", b"/a%2Fid/login")),
        ("/a/id%2Flogin", "/a/id/login", ("/a/id%2Flogin", b"/a/id%2Flogin")),
        ("/a/%69d", "/a/id", ("/a/%69d", b"/a/%69d")),
    ],
)  # fmt: skip
async def test_the_path_is_taken_off_segment_by_segment_in_its_one_spelling(
    raw: str | None, path: str, inside: tuple[str, bytes]
) -> None:
    found = await seen(path, raw)

    assert found == inside


@pytest.mark.parametrize(
    ("strips", "asked", "is_rest"),
    [
        (None, "/auth/login", False),
        (None, "/auth/auth/login", True),
        (False, "/auth/login", False),
        (True, "/auth/login", True),
        (True, "/login", False),
    ],
)
async def test_an_issuer_named_like_our_own_paths_is_read_as_the_setting_says(
    world: World, strips: bool | None, asked: str, is_rest: bool
) -> None:
    """Of https://example.com/auth, /auth/login is the page to sign in; REST behind a proxy that strips the path."""
    settings = replace(world.settings, issuer="https://example.com/auth", proxy_strips_path=strips)
    app: Any = create_app(world.services, settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://example.com") as http:
        page = await http.get(asked)
        rest = await http.post(asked, json={"email": "nobody@example.com", "password": "x"})

    assert page.status_code == (405 if is_rest else 200)
    assert rest.headers["content-type"].startswith("application/problem+json" if is_rest else "text/html")


@pytest.mark.parametrize("path", ["/%61uth/login", "/auth%2Flogin", "/%61uth/auth/login", "/%61uth/admin/users"])
async def test_no_other_spelling_of_the_path_reaches_anything(world: World, path: str) -> None:
    """HD9: a proxy's rule for /auth/auth or /auth/admin would not see it."""
    app: Any = create_app(world.services, replace(world.settings, issuer="https://example.com/auth"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://example.com") as http:
        answers = [await http.get(path), await http.post(path, json={"email": "a@example.com", "password": "x"})]

    assert [answer.status_code for answer in answers] == [404, 404]


async def test_the_absolute_form_has_the_path_too(world: World) -> None:
    """IN17."""
    app: Any = create_app(world.services, replace(world.settings, issuer="https://id.example.com/a/id"))
    for target in (
        "http://id.example.com/a/id/health",
        "http://id.example.com/health",
        "http://other.example/a/id/health",
    ):
        answered: list[int] = []

        async def send(message: Any, answered: list[int] = answered) -> None:
            answered.append(message.get("status", 0))

        scope = {"type": "http", "method": "GET", "path": target, "raw_path": target.encode(), "query_string": b""}
        await app(scope | {"headers": [(b"host", b"x")], "http_version": "1.1", "scheme": "http"}, None, send)
        assert answered[0] == (400 if "other" in target else 200)
