"""What one process changes holds in every other: at once for users and sessions, within a second for clients."""

from __future__ import annotations

import asyncio
import time

import jwt
from world import PASSWORD, Registered, Tokens, World

from idp.domain.users import Role
from idp.repositories.clients import MEMORY_SECONDS


async def user_id(world: World, tokens: Tokens) -> object:
    return (await world.session(tokens))["user_id"]


async def refused_at(node: World, client: Registered) -> float:
    """When *client* got its first 401 there. The limit is a guard against hanging."""
    async with asyncio.timeout(60):
        while (await node.token(client.auth, grant_type="client_credentials")).status_code != 401:
            await asyncio.sleep(0.02)
    return time.monotonic()


async def test_a_user_disabled_here_is_refused_there_at_once(world: World, strict: World) -> None:
    """PW22."""
    client = await world.client()
    tokens = await world.signed_in(client)
    assert (await strict.profile((await world.signed_in(email=tokens.email)).access_token)).status_code == 200

    await world.services.user_administration.disable(str(await user_id(world, tokens)))

    assert (await strict.refresh(tokens)).json()["error"] == "invalid_grant"
    assert (await strict.post("/auth/login", email=tokens.email, password=PASSWORD)).status_code == 401


async def test_a_session_ended_here_has_ended_there_at_once(world: World, strict: World) -> None:
    """SE15, IR9."""
    tokens = await world.signed_in()
    assert (await strict.profile(tokens.access_token)).status_code == 200

    assert (await world.post("/auth/logout", refreshToken=tokens.refresh_token)).status_code == 204

    assert (await strict.profile(tokens.access_token)).status_code == 401
    assert (await strict.refresh(tokens)).json()["error"] == "invalid_grant"


async def test_roles_given_here_are_in_the_next_token_there(world: World, strict: World) -> None:
    tokens = await world.signed_in()
    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 403

    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER, Role.ADMIN])

    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 200
    refreshed = await strict.refreshed(tokens)
    assert jwt.decode(refreshed.access_token, options={"verify_signature": False})["roles"] == ["USER", "ADMIN"]


async def test_roles_taken_here_are_gone_there_at_once(world: World, strict: World) -> None:
    """AD5: whatever the token says."""
    tokens = await world.signed_in()
    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER, Role.ADMIN])
    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 200

    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER])

    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 403


async def test_a_client_disabled_here_is_refused_there_when_its_memory_has_passed(world: World, strict: World) -> None:
    """CA10: the other node may remember a client for `MEMORY_SECONDS`, never longer."""
    client = await world.client()
    assert (await strict.token(client.auth, grant_type="client_credentials")).status_code == 200
    remembered_until = time.monotonic() + MEMORY_SECONDS

    await world.changed_client(client, enabled=False)
    here = await world.token(client.auth, grant_type="client_credentials")
    there = await refused_at(strict, client)

    assert here.status_code == 401
    assert MEMORY_SECONDS <= 1
    # Asked every 20 ms; one more second is left for a machine that is busy with something else.
    assert there <= remembered_until + 1


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access_token}"}
