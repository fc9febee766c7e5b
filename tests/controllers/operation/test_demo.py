"""`/demo/`, the example single-page application, as the server gives it away. What it does: tests/browser/test_demo_spa.py."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from world import World

from idp.app import quart_app


async def test_the_demo_loads_its_own_files_and_talks_to_its_own_server_only(world: World) -> None:
    page = await world.http.get("/demo/")

    names = re.findall(r'(?:src|href)="([a-z]+\.(?:js|css))"', page.text)
    assert names == ["style.css", "app.js"]
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert "'unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style| style=| on[a-z]+=", page.text)


@pytest.mark.parametrize(
    ("name", "kind"), [("app.js", "text/javascript"), ("oidc.js", "text/javascript"), ("style.css", "text/css")]
)
async def test_its_files_are_of_the_kind_that_a_browser_wants(world: World, name: str, kind: str) -> None:
    answer = await world.http.get(f"/demo/{name}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "no-store"


async def test_without_the_slash_it_leads_to_the_issuers_own_name(world: World) -> None:
    answer = await world.http.get("/demo", headers={"Host": "127.0.0.1"})

    assert (answer.status_code, answer.headers["location"]) == (302, f"{world.settings.issuer}/demo/")


@pytest.mark.parametrize("name", ["other.js", "..%2fREADME.md", "%2e%2e/spa/app.js", "node_modules"])
async def test_nothing_else_is_there(world: World, name: str) -> None:
    assert (await world.http.get(f"/demo/{name}")).status_code == 404


@pytest.mark.parametrize(("env", "there"), [("development", True), ("production", False)])
async def test_production_has_no_such_path(world: World, env: str, there: bool) -> None:
    app = quart_app(world.services, replace(world.settings, env=env))  # type: ignore[arg-type]

    assert any(rule.rule.startswith("/demo") for rule in app.url_map.iter_rules()) is there
