"""Tokens of mails: each for its own user and its own purpose, and guessing them leads nowhere (groups RG, LK, TE)."""

from __future__ import annotations

import secrets

import pytest
from caller import Caller, refused
from own_account import refused_for
from world import PASSWORD, World

NEW_PASSWORD = "Battery-Staple-8"


async def reset_token(world: World, email: str) -> str:
    assert (await world.post("/auth/forgot-password", email=email)).status_code == 202
    return (await world.mail(email, "Reset")).token


@pytest.mark.parametrize("member", ["email", "user", "userId", "user_id", "id", "sub"])
async def test_a_reset_token_is_for_its_own_user_only(world: World, member: str) -> None:
    """RG8: whom a request names besides changes nothing for anybody."""
    mine, theirs = await world.registered(), await world.registered()
    token = await reset_token(world, mine)

    answer = await world.post("/auth/reset-password", token=token, newPassword=NEW_PASSWORD, **{member: theirs})

    assert refused_for(answer) == [member]
    assert (await world.post("/auth/login", email=theirs, password=PASSWORD)).status_code == 200
    assert (await world.post("/auth/login", email=mine, password=PASSWORD)).status_code == 200


async def test_who_guesses_tokens_of_mails_is_refused(caller: Caller) -> None:
    """LK14: a hundred of 2 to the 256 in a quarter of an hour."""
    guesses = [
        await caller.post("/auth/reset-password", token=secrets.token_urlsafe(32), newPassword=NEW_PASSWORD)
        for _ in range(101)
    ]

    assert [guess.status_code for guess in guesses] == [400] * 100 + [429]
    assert refused(guesses[-1])


async def live_tokens(world: World) -> dict[str, str]:
    """One user's live tokens of every kind, by the door that each is for."""
    email = await world.registered()
    signed_in = await world.post("/auth/login", email=email, password=PASSWORD)
    body = signed_in.json()
    admin = await world.admin()
    page = await world.call("GET", "/admin/users", admin, params={"limit": 1})
    return {
        "bearer": body["accessToken"],
        "refresh": body["refreshToken"],
        "device": signed_in.headers["device-token"],
        "verify": (await world.mail(email, "Verify")).token,
        "reset": await reset_token(world, email),
        "cursor": page.json()["nextCursor"],
    }


async def opened(world: World, door: str, token: str) -> bool:
    if door == "bearer":
        return (await world.profile(token)).status_code == 200
    if door == "refresh":
        return (await world.post("/auth/refresh", refreshToken=token)).status_code == 200
    if door == "cursor":
        answer = await world.call("GET", "/admin/users", await world.admin(), params={"cursor": token})
        return answer.status_code == 200
    if door == "verify":
        return (await world.post("/auth/verify-email", token=token)).status_code == 204
    return (await world.post("/auth/reset-password", token=token, newPassword=NEW_PASSWORD)).status_code == 204


@pytest.mark.parametrize("door", ["bearer", "refresh", "cursor", "verify", "reset"])
async def test_a_token_opens_no_door_but_its_own(world: World, door: str) -> None:
    """TE18, RF15; Keycloak CVE-2026-4282: what is signed or stored for one purpose is nothing at any other."""
    tokens = await live_tokens(world)

    others = [kind for kind, token in tokens.items() if kind != door and await opened(world, door, token)]

    assert others == []
    assert await opened(world, door, tokens[door])
