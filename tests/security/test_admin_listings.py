"""Lists of /admin: what they take, what they leak, and cursors that somebody made up (AD8, AD14, IN5, IN6)."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest
from world import Tokens, World

LISTS = ["/admin/users", "/admin/clients", "/admin/sessions", "/admin/audit"]


@pytest.fixture(scope="module")
async def admin(world: World) -> Tokens:
    return await world.admin()


async def faulty(world: World, admin: Tokens, path: str, **query: Any) -> list[str]:
    answer = await world.call("GET", path, admin, params=query)
    assert answer.status_code == 400, answer.text
    return [fault["field"] for fault in answer.json()["errors"]]


async def cursor_of(world: World, admin: Tokens, path: str, **query: Any) -> str:
    body = (await world.call("GET", path, admin, params={"limit": 1, **query})).json()
    assert body["nextCursor"], body
    cursor: str = body["nextCursor"]
    return cursor


def flipped(cursor: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture(autouse=True, scope="module")
async def _two_of_each(world: World) -> None:
    for _ in range(2):
        await world.signed_in(await world.client())


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "201", "-1", "1e2", "ten", "9" * 30, "١٢", "1.5"])
async def test_a_page_is_between_1_and_200(world: World, admin: Tokens, path: str, limit: str) -> None:
    """AD8, IN6."""
    assert await faulty(world, admin, path, limit=limit) == ["limit"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("parameter", ["sort", "order", "offset", "fields", "password_hash", "where"])
async def test_what_a_list_does_not_know_is_refused(world: World, admin: Tokens, path: str, parameter: str) -> None:
    """AD8: no column can be sorted or filtered by but those that are meant to."""
    assert await faulty(world, admin, path, **{parameter: "password_hash"}) == [parameter]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("place", [0, 15, 16, 20, -1])
async def test_a_cursor_with_one_bit_changed_is_refused(world: World, admin: Tokens, path: str, place: int) -> None:
    """AD8, Ory CVE-2026-33504: a forged page token became SQL."""
    cursor = await cursor_of(world, admin, path)

    assert await faulty(world, admin, path, cursor=flipped(cursor, place)) == ["cursor"]


FORGED = ["x", "e30", "AAAA", "=", "'; DROP TABLE users; --", "é", "a" * 512, "W10", "null"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", FORGED)
async def test_a_cursor_that_was_made_up_is_refused(world: World, admin: Tokens, path: str, cursor: str) -> None:
    """AD8."""
    assert await faulty(world, admin, path, cursor=cursor) == ["cursor"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("other", LISTS)
async def test_a_cursor_goes_on_in_its_own_list_only(world: World, admin: Tokens, path: str, other: str) -> None:
    """AD8."""
    cursor = await cursor_of(world, admin, other)

    if path == other:
        assert (await world.call("GET", path, admin, params={"cursor": cursor})).status_code == 200
    else:
        assert await faulty(world, admin, path, cursor=cursor) == ["cursor"]


async def test_a_cursor_goes_on_with_its_own_filters_only(world: World, admin: Tokens) -> None:
    """AD8: with others it would show something in between."""
    cursor = await cursor_of(world, admin, "/admin/users", status="active")

    assert await faulty(world, admin, "/admin/users", cursor=cursor) == ["cursor"]
    assert await faulty(world, admin, "/admin/users", cursor=cursor, status="active", role="USER") == ["cursor"]
    again = await world.call("GET", "/admin/users", admin, params={"cursor": cursor, "status": "active", "limit": 7})
    assert again.status_code == 200


async def test_a_cursor_of_another_node_is_good_there_and_here(world: World, strict: World, admin: Tokens) -> None:
    """Its secret was rotated: it signs with the newer one, and verifies both."""
    older = await cursor_of(world, admin, "/admin/users")

    assert (await strict.call("GET", "/admin/users", admin, params={"cursor": older})).status_code == 200


LITERALS = [
    "%",
    "_",
    "'",
    '"',
    "\\",
    "%%",
    "' OR 1=1 --",
    "'); DROP TABLE users; --",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "*",
]


@pytest.mark.parametrize("text", LITERALS)
async def test_a_search_takes_every_character_as_it_is(world: World, admin: Tokens, text: str) -> None:
    """IN5, Tortoise CVE-2020-11010."""
    name = f"{text} {uuid4().hex[:8]}"
    email = await world.registered(name=name)

    found = (await world.call("GET", "/admin/users", admin, params={"search": name})).json()
    other = (await world.call("GET", "/admin/users", admin, params={"search": text + uuid4().hex})).json()

    assert [user["email"] for user in found["users"]] == [email]
    assert (other["users"], other["total"]) == ([], 0)


@pytest.mark.parametrize("path", ["/admin/users", "/admin/clients"])
@pytest.mark.parametrize("search", ["%", "_", "\\", "%25"])
async def test_a_wildcard_finds_itself_only(world: World, admin: Tokens, path: str, search: str) -> None:
    """IN5."""
    answer = await world.call("GET", path, admin, params={"search": search})

    (members,) = (found for found in answer.json().values() if isinstance(found, list))
    assert all(search in one["name"] + one.get("email", "") + one.get("clientId", "") for one in members)


IDS = [
    *("1", "-1", "0", "9" * 40, "0x1", "١٢", "null", "undefined", "%00", "..%2f", "a" * 36, "me"),
    *("{00000000-0000-0000-0000-000000000000}", "urn:uuid:00000000-0000-0000-0000-000000000000", "0" * 32),
]


@pytest.mark.parametrize("user_id", IDS)
async def test_an_id_that_is_none_is_not_found(world: World, admin: Tokens, user_id: str) -> None:
    """IN6, AD3."""
    calls = [
        ("GET", f"/admin/users/{user_id}"),
        ("PUT", f"/admin/users/{user_id}"),
        ("DELETE", f"/admin/users/{user_id}"),
        ("GET", f"/admin/users/{user_id}/sessions"),
        ("DELETE", f"/admin/users/{uuid4()}/sessions/{user_id}"),
        ("GET", f"/admin/clients/{user_id}"),
    ]

    for method, path in calls:
        answer = await world.call(method, path, admin, json={} if method == "PUT" else None)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), path


@pytest.mark.parametrize("user_id", IDS[:9] + IDS[-4:])
async def test_an_id_that_is_none_is_no_filter(world: World, admin: Tokens, user_id: str) -> None:
    """IN6."""
    assert await faulty(world, admin, "/admin/sessions", userId=user_id) == ["userId"]


async def test_who_is_no_administrator_learns_no_number(world: World) -> None:
    """AD14, Zitadel CVE-2025-67717."""
    user = await world.signed_in()

    for path in (*LISTS, "/admin/stats"):
        answer = await world.call("GET", path, user)
        assert answer.status_code == 403
        assert answer.json().keys() == {"type", "title", "status", "detail", "error", "requestId"}
