"""Client ids that are brought along from elsewhere: up to 255 characters of RFC 6749's set, at every door."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, quote_plus

import jwt
import pytest
from world import PASSWORD, Tokens, World

VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
IDS = [VISIBLE, "x" * 255, "https://app.example/client?a=1#b", "/my app+%2F/own"]


@pytest.fixture(scope="module")
async def admin(world: World) -> Tokens:
    return await world.admin()


@pytest.fixture(params=IDS, ids=["visible", "long", "url", "slashes"])
async def client(world: World, admin: Tokens, request: pytest.FixtureRequest) -> dict[str, Any]:
    body = {"clientId": request.param, "name": "Moved", "grantTypes": ["password", "refresh_token"], "scope": "openid"}
    path = f"/admin/clients/{quote(request.param, safe='')}"
    await world.call("DELETE", path, admin)
    made = await world.call("POST", "/admin/clients", admin, json=body)
    assert made.status_code == 201, made.text
    return dict(made.json()) | {"path": path}


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


async def test_a_long_or_odd_id_signs_in_and_refreshes(world: World, client: dict[str, Any]) -> None:
    """CA1: by percent signs or by `+`, as form-urlencoding has both for a space; and in the form."""
    client_id, secret, email = client["clientId"], client["clientSecret"], await world.registered()
    user = {"grant_type": "password", "username": email, "password": PASSWORD}
    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        (basic(quote(client_id, safe=""), secret), {}),
        (basic(quote_plus(client_id), secret), {"client_id": client_id}),
        ({}, {"client_id": client_id, "client_secret": secret}),
    ]

    for headers, fields in ways:
        tokens = await world.http.post("/oauth2/token", data=user | fields, headers=headers)
        assert tokens.status_code == 200, tokens.text
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens.json()["refresh_token"]}
        assert (await world.http.post("/oauth2/token", data=refresh | fields, headers=headers)).status_code == 200
    wrong = await world.http.post("/oauth2/token", data=user, headers=basic(quote(client_id, safe=""), "wrong"))
    assert wrong.json()["error"] == "invalid_client"


async def test_a_long_or_odd_id_is_looked_after(world: World, admin: Tokens, client: dict[str, Any]) -> None:
    path, client_id = client["path"], client["clientId"]

    read = await world.call("GET", path, admin)
    changed = await world.call(
        "PUT", path, admin, json={"name": "Moved again"}, headers={"If-Match": read.headers["etag"]}
    )
    rotated = await world.call("POST", f"{path}/secret", admin)
    found = await world.call("GET", "/admin/clients", admin, params={"search": client_id[:200]})
    told = await world.call("GET", "/admin/audit", admin, params={"clientId": client_id, "limit": 10})
    sessions = await world.call("GET", "/admin/sessions", admin, params={"clientId": client_id})

    assert read.json()["client"]["clientId"] == changed.json()["clientId"] == rotated.json()["clientId"] == client_id
    assert changed.json()["client"]["name"] == "Moved again"
    assert client_id in [each["clientId"] for each in found.json()["clients"]]
    assert {event["clientId"] for event in told.json()["events"]} == {client_id}
    assert sessions.status_code == 200
    assert (await world.call("DELETE", path, admin)).status_code == 204
    assert (await world.call("GET", path, admin)).status_code == 404


@pytest.mark.parametrize("client_id", ["", ".", "..", "x" * 256, "a\x7fb", "ä", "a\tb", "a\nb"])
async def test_any_other_id_is_refused(world: World, admin: Tokens, client_id: str) -> None:
    body = {"clientId": client_id, "name": "Odd", "grantTypes": ["client_credentials"]}

    answer = await world.call("POST", "/admin/clients", admin, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "clientId")


async def test_a_long_id_does_not_make_sessions_larger(world: World) -> None:
    """Each field of a family has at most 64 bytes, else it takes more than twice the memory (docs/valkey.md)."""
    client = await world.client(client_id="y" * 255)

    tokens = await world.signed_in(client)

    assert (await world.refresh(tokens)).status_code == 200
    family = await world.cache.hgetall(world.family_key(tokens))
    assert max(map(len, family.values())) <= 64


async def test_a_plus_is_a_plus_before_it_is_a_space(world: World) -> None:
    """CA1: of two clients that one header may name, the one that is named literally proves itself by its own secret."""
    spaced, plus = await world.client(client_id="my app"), await world.client(client_id="my+app")

    for client in (spaced, plus):
        header = basic("my+app", client.secret or "")
        answer = await world.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=header)
        assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["sub"] == client.client_id
