"""`/openapi.json` says what the server has: no path more, no path less, in the form that OpenAPI 3.1 wants."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from world import World

from idp.app import quart_app
from idp.controllers.openapi.routes import routes_of
from idp.controllers.tokens.well_known import PATHS

USERINFO = {("get", "/oauth2/userinfo"), ("post", "/oauth2/userinfo")}
OF_CLIENTS = {("post", f"/oauth2/{name}") for name in ("token", "revoke", "introspect")}
BESIDE_QUART = OF_CLIENTS | USERINFO | {("get", path) for path in PATHS}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@pytest.fixture
async def document(world: World) -> dict[str, Any]:
    answer = await world.http.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): item[method] for path, item in document["paths"].items() for method in METHODS if method in item
    }


async def test_it_is_an_openapi_3_1_document(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()

    assert document["openapi"].startswith("3.1")


async def test_it_has_every_route_and_nothing_else(world: World, document: dict[str, Any]) -> None:
    routes = {(route.method.lower(), route.template) for route in routes_of(quart_app(world.services, world.settings))}

    assert operations(document).keys() == routes | BESIDE_QUART | (operations(document).keys() & {("get", "/metrics")})


async def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document).values()]

    assert len(set(names)) == len(names)


async def test_what_needs_a_user_says_so_and_what_the_caller_gets_without_one(
    world: World, document: dict[str, Any]
) -> None:
    guarded = USERINFO | {
        (route.method.lower(), route.template)
        for route in routes_of(quart_app(world.services, world.settings))
        if route.access in ("user", "admin")
    }

    said = {place for place, operation in operations(document).items() if operation["security"] == [{"bearer": []}]}
    assert said == guarded
    assert all("401" in operations(document)[place]["responses"] for place in guarded)


async def test_every_limited_operation_tells_of_its_headers(document: dict[str, Any]) -> None:
    limited = [operation for operation in operations(document).values() if "429" in operation["responses"]]

    assert limited
    for operation in limited:
        assert {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= operation["responses"][
            "429"
        ]["headers"].keys()


async def test_it_is_cached_by_its_entity_tag_and_readable_by_any_page(world: World) -> None:
    first = await world.http.get("/openapi.json")
    again = await world.http.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["access-control-allow-origin"] == "*"


async def test_the_page_names_every_operation_without_any_script(world: World, document: dict[str, Any]) -> None:
    page = await world.http.get("/api-docs")

    assert page.status_code == 200
    for (method, path), operation in operations(document).items():
        assert f'id="{operation["operationId"]}"><code>{method.upper()} {path}</code>' in page.text
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://(?!localhost)", page.text)
