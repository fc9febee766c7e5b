"""HD9: who may read the metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from world import World

from idp.app import create_app

TOKEN = "a-token-that-only-prometheus-has"
OUTSIDE = ("203.0.113.7", 4711)


@asynccontextmanager
async def asked_from(world: World, peer: tuple[str, int], **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """The same services behind another edge, which sees *peer* at the other end of each connection."""
    app = create_app(world.services, replace(world.settings, **settings))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app, client=peer)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as http:
        yield http


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_without_a_token_this_machine_is_answered(world: World, peer: str) -> None:
    """HD9."""
    async with asked_from(world, (peer, 4711)) as http:
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.parametrize("peer", ["203.0.113.7", "10.0.0.1", "2001:db8::1", "unix", ""])
async def test_without_a_token_nobody_else_finds_anything(world: World, peer: str) -> None:
    """HD9."""
    async with asked_from(world, (peer, 4711)) as http:
        answer = await http.get("/metrics")

    assert answer.status_code == 404
    assert "idp_" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "idp.example.com"},
        {"Host": "localhost.example.com"},
    ],
    ids=str,
)
async def test_what_came_through_a_proxy_or_for_another_host_is_not_from_this_machine(
    world: World, headers: dict[str, str]
) -> None:
    """HD9, PX1; a page whose name was made to resolve to 127.0.0.1."""
    async with asked_from(world, ("127.0.0.1", 4711)) as http:
        assert (await http.get("/metrics", headers=headers)).status_code == 404


async def test_a_forwarded_address_of_a_trusted_proxy_is_not_this_machine(world: World) -> None:
    """PX1."""
    from ipaddress import ip_network

    async with asked_from(world, OUTSIDE, trusted_proxies=(ip_network("203.0.113.0/24"),)) as http:
        assert (await http.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status_code == 404


async def test_with_a_token_it_is_the_token_that_counts(world: World) -> None:
    """HD9."""
    async with asked_from(world, OUTSIDE, metrics_token=TOKEN) as http:
        assert (await http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": b"Bearer \xff"},
    ],
    ids=str,
)
async def test_with_a_token_nothing_else_is_enough_not_even_this_machine(
    world: World, headers: dict[str, str | bytes]
) -> None:
    """HD9."""
    async with asked_from(world, ("127.0.0.1", 4711), metrics_token=TOKEN) as http:
        answer = await http.get("/metrics", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "idp_build_info" not in answer.text


async def test_an_access_token_does_not_open_it(world: World) -> None:
    """HD9."""
    tokens = await world.signed_in()
    async with asked_from(world, OUTSIDE, metrics_token=TOKEN) as http:
        answer = await http.get("/metrics", headers={"Authorization": f"Bearer {tokens.access_token}"})

    assert answer.status_code == 401


async def test_two_authorization_headers_are_none(world: World) -> None:
    """HD9."""
    async with asked_from(world, OUTSIDE, metrics_token=TOKEN) as http:
        answer = await http.get(
            "/metrics", headers=[("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer x")]
        )

    assert answer.status_code == 401


async def test_it_is_only_read(world: World) -> None:
    """HD9."""
    async with asked_from(world, ("127.0.0.1", 4711)) as http:
        assert (await http.post("/metrics")).status_code == 405
