"""Nobody makes the server call anybody, and nothing that it hands out does anything where it is opened (AD10)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from world import World

FORMULAS = ["=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+cmd", "-2+3", '"},{"name":"x', "a\u2028b"]


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def nobody_called(trap: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        trap.accept()
    return True


@pytest.mark.parametrize(
    "parameter",
    ["request_uri", "jku", "client_assertion", "redirect_uri", "resource", "issuer", "sector_identifier_uri"],
)
async def test_no_parameter_of_the_token_endpoint_is_fetched(world: World, trap: socket.socket, parameter: str) -> None:
    """AD10: Keycloak CVE-2026-4874."""
    client = await world.client()
    url = f"http://127.0.0.1:{trap.getsockname()[1]}/"

    await world.token(client.auth, grant_type="client_credentials", **{parameter: url})

    assert nobody_called(trap)


async def test_no_address_of_a_client_is_fetched(world: World, trap: socket.socket) -> None:
    """AD10: Zitadel CVE-2026-55671. Registered, read again, and used for a token."""
    admin, url = await world.admin(), f"http://127.0.0.1:{trap.getsockname()[1]}"
    body = {
        "name": "Web",
        "grantTypes": ["authorization_code", "client_credentials"],
        "redirectUris": [f"{url}/cb"],
        "origins": [url],
    }

    made = await world.call("POST", "/admin/clients", admin, json=body)
    read = await world.call("GET", f"/admin/clients/{made.json()['clientId']}", admin)

    assert (made.status_code, read.status_code) == (201, 200)
    assert nobody_called(trap)


@pytest.mark.parametrize("name", FORMULAS)
async def test_what_a_user_wrote_is_one_text_of_the_export(world: World, name: str) -> None:
    """AD10: JSON lines, not a table that runs formulas."""
    admin, user = await world.admin(), await world.signed_in()
    user_id = str((await world.session(user))["user_id"])
    changed = await world.call("PUT", f"/admin/users/{user_id}", admin, json={"name": name})

    answer = await world.call("GET", f"/admin/audit?userId={user_id}&format=jsonl", admin)

    assert changed.status_code in (200, 400), changed.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["x-content-type-options"] == "nosniff"
    events = [json.loads(line) for line in answer.content.split(b"\n") if line]
    assert {event["userId"] for event in events} == {user_id}
