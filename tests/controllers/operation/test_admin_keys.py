"""`/admin/keys`: on keys of its own, since all tests share those of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from world import Tokens, World

from idp.app import create_app
from idp.bootstrap import key_files
from idp.services.operation.key_administration import KeyAdministration


@pytest.fixture
def keys_folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
async def node(world: World, keys_folder: Path) -> AsyncIterator[World]:
    """The same server, but for the keys that are administered."""
    settings = replace(world.settings, keys_dir=keys_folder)
    keys = KeyAdministration(keys=key_files(settings), events=world.services.events)
    services = replace(world.services, administration=replace(world.services.administration, keys=keys))
    transport = httpx.ASGITransport(app=create_app(services, settings))  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=settings.issuer, transport=transport) as http:
        yield World(http, services, settings, world.database, world.cache, world.tokens)


async def states(node: World, admin: Tokens) -> list[str]:
    return [key["status"] for key in (await node.call("GET", "/admin/keys", admin)).json()["keys"]]


async def test_a_key_tells_nothing_private(node: World, admin: Tokens) -> None:
    (key,) = (await node.call("GET", "/admin/keys", admin)).json()["keys"]

    assert key.keys() == {"kid", "algorithm", "bits", "status", "createdAt", "activatesAt", "unpublishedAt"}
    assert (key["algorithm"], key["status"]) == ("RS256", "active")


async def test_rotating_makes_the_next_key_and_tells_the_trail(node: World, admin: Tokens) -> None:
    made = await node.call("POST", "/admin/keys/rotate", admin)

    key: dict[str, Any] = made.json()["key"]
    assert (made.status_code, key["status"]) == (201, "next")
    assert await states(node, admin) == ["active", "next"]
    (event,) = await node.events("key_rotated", actor=admin.body["user"]["id"])
    assert event["detail"]["kid"] == key["kid"]


async def test_rotating_makes_the_next_key_of_every_algorithm_in_use(node: World, admin: Tokens) -> None:
    await node.services.administration.keys.provide(["ES256"])

    made = (await node.call("POST", "/admin/keys/rotate", admin)).json()
    listed = (await node.call("GET", "/admin/keys", admin)).json()["keys"]

    assert (made["key"]["algorithm"], [key["algorithm"] for key in made["others"]]) == ("RS256", ["ES256"])
    assert [(key["algorithm"], key["bits"], key["status"]) for key in listed] == [
        ("RS256", 2048, "active"),
        ("ES256", 256, "active"),
        ("RS256", 2048, "next"),
        ("ES256", 256, "next"),
    ]


async def test_another_key_waits_already(node: World, admin: Tokens) -> None:
    await node.call("POST", "/admin/keys/rotate", admin)

    again = await node.call("POST", "/admin/keys/rotate", admin)

    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    assert await states(node, admin) == ["active", "next"]


async def test_a_folder_that_cannot_be_written_is_said_without_its_name(
    node: World, admin: Tokens, keys_folder: Path
) -> None:
    (keys_folder / ".lock").unlink()
    (keys_folder / ".lock").mkdir()  # a mode would not keep the superuser out

    refused = await node.call("POST", "/admin/keys/rotate", admin)

    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert "cannot write" in refused.json()["detail"]
    assert str(keys_folder) not in refused.text
    assert await states(node, admin) == ["active"]


async def test_a_node_that_may_make_no_keys_offers_those_that_are_there(
    node: World, keys_folder: Path, admin: Tokens
) -> None:
    """Else a client would be registered for an algorithm that each node signs with another key, or with none."""
    settings = replace(node.settings, keys_provision=False)
    keys = KeyAdministration(
        keys=key_files(settings, provision=False), events=node.services.events, provision=settings.keys_provision
    )
    administration = replace(
        node.services.administration, keys=keys, clients=replace(node.services.administration.clients, keys=keys)
    )
    services = replace(node.services, administration=administration, client_registration=administration.clients)
    client = {"name": "A", "grantTypes": ["authorization_code"], "redirectUris": ["https://app.example/callback"]}
    transport = httpx.ASGITransport(app=create_app(services, settings))  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=settings.issuer, transport=transport) as http:
        bound = World(http, services, settings, node.database, node.cache, node.tokens)
        offered = (await http.get("/.well-known/openid-configuration")).json()
        rotated = await bound.call("POST", "/admin/keys/rotate", admin)
        wanted = await bound.call("POST", "/admin/clients", admin, json={**client, "idTokenSignedResponseAlg": "ES256"})

    assert offered["id_token_signing_alg_values_supported"] == ["RS256"]
    assert offered["userinfo_signing_alg_values_supported"] == ["RS256"]
    assert (rotated.status_code, wanted.status_code) == (409, 409)
    assert "idp keys rotate" in wanted.json()["detail"]
    assert len(list(keys_folder.glob("*.json"))) == 1
