"""Requests about one's own account, as the tests of accounts send them."""

from __future__ import annotations

from typing import Any

import httpx
from world import PASSWORD, Tokens, World

NEW_PASSWORD = "Battery-Staple-8"


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access_token}"}


async def change_password(world: World, tokens: Tokens, **body: Any) -> httpx.Response:
    given = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD} | body
    return await world.post("/auth/change-password", headers=bearer(tokens), **given)


async def change_email(world: World, tokens: Tokens, email: str, password: str = PASSWORD) -> httpx.Response:
    return await world.post("/auth/change-email", headers=bearer(tokens), currentPassword=password, newEmail=email)


async def delete(world: World, tokens: Tokens, password: str = PASSWORD) -> httpx.Response:
    return await world.http.request(
        "DELETE", "/auth/profile", headers=bearer(tokens), json={"currentPassword": password}
    )


async def verify(world: World, token: str) -> httpx.Response:
    return await world.post("/auth/verify-email", token=token)


async def user_of(world: World, email: str) -> Any:
    return await world.database.fetchrow("SELECT * FROM users WHERE email_norm = $1", email)


def refused_for(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    return [fault["field"] for fault in answer.json()["errors"]]
