"""Pages of ours: what they may load, and from where (HD2, HD8)."""

from __future__ import annotations

import re

import pytest
from world import World

PAGES = ["/", "/api-docs"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_what_is_its_own_and_runs_nothing_else(world: World, path: str) -> None:
    """HD2."""
    answer = await world.http.get(path, headers={"Accept": "text/html"})

    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert answer.headers["content-type"].startswith("text/html")
    assert {name: policy[name] for name in ("default-src", "base-uri", "frame-ancestors")} == dict.fromkeys(
        ("default-src", "base-uri", "frame-ancestors"), "'none'"
    )
    assert set(policy.values()) <= {"'none'", "'self'"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_elsewhere(world: World, path: str) -> None:
    """HD8."""
    page = (await world.http.get(path)).text
    loaded = re.findall(r"<(?:link|script|img|iframe|source)\b[^>]*?\b(?:href|src)=\"([^\"]*)\"", page)

    assert loaded
    assert [it for it in loaded if not it.startswith("/assets/")] == []
    assert [(await world.http.get(it)).status_code for it in loaded] == [200] * len(loaded)
