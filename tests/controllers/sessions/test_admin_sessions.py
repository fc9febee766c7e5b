"""`/admin/sessions` and the sessions of one user."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from world import Tokens, World


async def ids(world: World, admin: Tokens, path: str, **query: Any) -> list[str]:
    answer = await world.call("GET", path, admin, params=query)
    assert answer.status_code == 200, answer.text
    return [session["id"] for session in answer.json()["sessions"]]


async def session_id(world: World, tokens: Tokens) -> str:
    return str((await world.session(tokens))["id"])


async def test_sessions_are_found_by_user_and_by_client(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    client = await world.client()
    there = await session_id(world, await world.signed_in(client, user.email))
    here = await session_id(world, user)
    user_id = path.rpartition("/")[2]

    assert await ids(world, admin, "/admin/sessions", userId=user_id) == [there, here]
    assert await ids(world, admin, f"{path}/sessions") == [there, here]
    assert await ids(world, admin, "/admin/sessions", clientId=client.client_id) == [there]
    assert await ids(world, admin, "/admin/sessions", clientId=client.client_id, userId=str(uuid4())) == []


async def test_pages_go_on_where_the_one_before_ended(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    known = [await session_id(world, await world.signed_in(email=user.email)) for _ in range(2)]

    first = (await world.call("GET", f"{path}/sessions", admin, params={"limit": 2})).json()
    second = await ids(world, admin, f"{path}/sessions", limit=2, cursor=first["nextCursor"])

    assert [session["id"] for session in first["sessions"]] == known[::-1]
    assert second == [await session_id(world, user)]


async def test_a_session_tells_whose_and_where_it_is_and_no_token(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    (session,) = (await world.call("GET", f"{path}/sessions", admin)).json()["sessions"]

    assert session.keys() == {
        *("id", "userId", "email", "clientId", "scope", "device", "address", "createdAt", "lastUsedAt", "expiresAt")
    }
    assert (session["email"], session["clientId"], session["address"]) == (user.email, "idp-rest", "127.0.0.1")


async def test_one_session_ends_and_the_other_lives(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    other = await world.signed_in(email=user.email)

    ended = await world.call("DELETE", f"{path}/sessions/{await session_id(world, user)}", admin)

    assert ended.status_code == 204
    assert [(await world.profile(it.access_token)).status_code for it in (user, other)] == [401, 200]
    assert (await world.refresh(user)).json()["error"] == "invalid_grant"
    assert (await world.refresh(other)).status_code == 200


async def test_all_sessions_of_a_user_end(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    other = await world.signed_in(email=user.email)

    ended = await world.call("DELETE", f"{path}/sessions", admin)

    assert ended.status_code == 204
    assert [(await world.profile(it.access_token)).status_code for it in (user, other)] == [401, 401]
    assert await ids(world, admin, f"{path}/sessions") == []


async def test_a_session_is_ended_under_its_own_user_only_and_once(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    """AD3."""
    foreign, own = await session_id(world, admin), await session_id(world, user)

    answers = [await world.call("DELETE", f"{path}/sessions/{it}", admin) for it in (foreign, own, own, uuid4())]

    assert [answer.status_code for answer in answers] == [404, 204, 404, 404]
    assert (await world.profile(admin.access_token)).status_code == 200
