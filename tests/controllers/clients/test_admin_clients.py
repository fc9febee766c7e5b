"""`/admin/clients`: registering programs, changing them and their secrets."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from world import Registered, Tokens, World

SERVICE = {"name": "Service", "grantTypes": ["client_credentials"]}


async def made(world: World, admin: Tokens, **members: Any) -> dict[str, Any]:
    answer = await world.call("POST", "/admin/clients", admin, json=SERVICE | members)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def token(world: World, client_id: str, secret: str) -> httpx.Response:
    return await world.token(httpx.BasicAuth(client_id, secret), grant_type="client_credentials")


async def test_a_registered_client_gets_tokens_with_the_secret_shown_once(world: World, admin: Tokens) -> None:
    client_id = f"client-{secrets.token_hex(6)}"

    registered = await made(world, admin, clientId=client_id)
    read = await world.call("GET", f"/admin/clients/{client_id}", admin)

    assert (await token(world, client_id, registered["clientSecret"])).status_code == 200
    assert registered["client"] == read.json()["client"]
    assert "secret" not in read.text.lower()


async def test_a_client_without_an_id_is_given_one(world: World, admin: Tokens) -> None:
    registered = await made(world, admin)

    assert (await token(world, registered["clientId"], registered["clientSecret"])).status_code == 200


async def test_a_public_client_has_no_secret(world: World, admin: Tokens) -> None:
    registered = await made(world, admin, grantTypes=["password"], tokenEndpointAuthMethod="none")

    refused = await world.call("POST", f"/admin/clients/{registered['clientId']}/secret", admin)

    assert registered["clientSecret"] is None
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")


async def test_a_client_can_be_sent_back_as_it_was_read(world: World, admin: Tokens) -> None:
    registered = await made(world, admin, clientId=f"a/{secrets.token_hex(6)}")
    path = f"/admin/clients/{quote(registered['clientId'], safe='')}"
    read = (await world.call("GET", path, admin)).json()["client"]

    answer = await world.call("PUT", path, admin, json=read)
    other = await world.call("PUT", path, admin, json={**read, "clientId": "another"})

    assert answer.status_code == 200, answer.text
    assert {**answer.json()["client"], "updatedAt": read["updatedAt"]} == read
    assert (other.status_code, [fault["field"] for fault in other.json()["errors"]]) == (400, ["clientId"])


async def test_a_taken_id_is_a_conflict(world: World, admin: Tokens) -> None:
    client_id = (await made(world, admin))["clientId"]

    answer = await world.call("POST", "/admin/clients", admin, json=SERVICE | {"clientId": client_id})

    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_pages_hold_every_client_once_the_built_in_one_last(world: World, admin: Tokens) -> None:
    mine = [(await made(world, admin, name="rest of the world"))["clientId"] for _ in range(3)]

    found: list[str] = []
    query: dict[str, Any] = {"search": "REST", "limit": 2}
    while True:
        page = (await world.call("GET", "/admin/clients", admin, params=query)).json()
        assert len(page["clients"]) <= 2
        found += [client["clientId"] for client in page["clients"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert found[:3] == mine[::-1]
    assert (found[-1], len(found)) == ("idp-rest", len(set(found)))


async def test_a_change_touches_what_it_names_and_nothing_else(world: World, admin: Tokens) -> None:
    before = (await made(world, admin, origins=["https://a.example"], resources=["https://api.example"]))["client"]

    changed = await world.call(
        "PUT", f"/admin/clients/{before['clientId']}", admin, json={"name": "Renamed", "origins": []}
    )

    after = changed.json()["client"]
    assert {member for member in before if before[member] != after[member]} == {"name", "origins", "updatedAt"}
    assert changed.json()["clientSecret"] is None


async def test_a_client_that_is_public_no_longer_gets_a_secret(world: World, admin: Tokens) -> None:
    client_id = (await made(world, admin, grantTypes=["password"], tokenEndpointAuthMethod="none"))["clientId"]

    changed = await world.call(
        "PUT",
        f"/admin/clients/{client_id}",
        admin,
        json={"tokenEndpointAuthMethod": None, "grantTypes": ["client_credentials"]},
    )

    assert (await token(world, client_id, changed.json()["clientSecret"])).status_code == 200


async def test_a_stale_version_changes_nothing(world: World, admin: Tokens) -> None:
    path = f"/admin/clients/{(await made(world, admin))['clientId']}"
    version = {"If-Match": (await world.call("GET", path, admin)).headers["etag"]}

    first = await world.call("PUT", path, admin, json={"name": "First"}, headers=version)
    second = await world.call("PUT", path, admin, json={"name": "Second"}, headers=version)

    assert (first.status_code, second.status_code) == (200, 412)
    assert (await world.call("GET", path, admin)).json()["client"]["name"] == "First"


async def test_a_disabled_client_is_refused_at_its_next_request(world: World, admin: Tokens) -> None:
    registered = await made(world, admin)
    client_id, secret = registered["clientId"], registered["clientSecret"]
    assert (await token(world, client_id, secret)).status_code == 200

    await world.call("PUT", f"/admin/clients/{client_id}", admin, json={"enabled": False})

    assert (await token(world, client_id, secret)).json()["error"] == "invalid_client"


async def test_the_secret_before_works_for_the_overlap_only(world: World, admin: Tokens) -> None:
    registered = await made(world, admin)
    client_id, first = registered["clientId"], registered["clientSecret"]

    path = f"/admin/clients/{client_id}/secret"
    second = (await world.call("POST", path, admin, params={"overlap": 3600})).json()
    during = [(await token(world, client_id, it)).status_code for it in (first, second["clientSecret"])]
    third = (await world.call("POST", path, admin, params={"overlap": 0})).json()
    after = [
        (await token(world, client_id, it)).status_code for it in (first, second["clientSecret"], third["clientSecret"])
    ]

    assert (during, after) == ([200, 200], [401, 401, 200])
    assert second["previousExpiresAt"] is not None
    assert third["previousExpiresAt"] is None


async def test_deleting_a_client_ends_its_sessions(world: World, admin: Tokens) -> None:
    registered = await made(world, admin, grantTypes=["password", "refresh_token"])
    tokens = await world.signed_in(Registered(registered["clientId"], registered["clientSecret"]))

    answer = await world.call("DELETE", f"/admin/clients/{registered['clientId']}", admin)

    assert answer.status_code == 204
    assert (await world.profile(tokens.access_token)).status_code == 401
    assert (await world.call("DELETE", f"/admin/clients/{registered['clientId']}", admin)).status_code == 404


async def test_the_built_in_client_can_be_read_and_not_changed(world: World, admin: Tokens) -> None:
    path = "/admin/clients/idp-rest"

    read = await world.call("GET", path, admin)
    refused = [
        await world.call("PUT", path, admin, json={"enabled": False}),
        await world.call("DELETE", path, admin),
        await world.call("POST", f"{path}/secret", admin),
    ]

    assert (read.status_code, read.json()["client"]["builtIn"]) == (200, True)
    assert [answer.status_code for answer in refused] == [409, 409, 409]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"clientId": "mÿ app"}, ["clientId"]),
        ({"clientId": "idp-rest"}, ["clientId"]),
        ({"grantTypes": ["magic"]}, ["grantTypes"]),
        ({"grantTypes": []}, ["grantTypes"]),
        ({"tokenEndpointAuthMethod": "private_key_jwt"}, ["jwks"]),
        ({"tokenEndpointAuthMethod": "tls_client_auth"}, ["tokenEndpointAuthMethod"]),
        ({"tokenEndpointAuthMethod": "none"}, ["grantTypes"]),
        ({"scope": 'a "b"'}, ["scope"]),
        ({"origins": ["https://a.example/"], "resources": ["api"]}, ["origins", "resources"]),
        ({"clientSecret": "chosen"}, ["clientSecret"]),
        ({"secrets": []}, ["secrets"]),
    ],
)
async def test_faults_are_named_as_they_were_given(
    world: World, admin: Tokens, members: dict[str, Any], fields: list[str]
) -> None:
    answer = await world.call("POST", "/admin/clients", admin, json=SERVICE | members)

    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (400, fields)
