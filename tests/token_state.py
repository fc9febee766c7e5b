"""What the tests of revocation and introspection ask a server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from world import Registered, Tokens, World

INACTIVE = {"active": False}


async def asked(world: World, path: str, client: Registered, token: str, **fields: str) -> httpx.Response:
    """*client* with its secret, or by its name alone."""
    if client.secret is None:
        fields["client_id"] = client.client_id
    return await world.http.post(path, data={"token": token, **fields}, auth=client.auth)


async def revoke(world: World, client: Registered, token: str, **fields: str) -> httpx.Response:
    return await asked(world, "/oauth2/revoke", client, token, **fields)


async def revoked(world: World, client: Registered, token: str, **fields: str) -> bool:
    """Whether the server says so, which it does also of what it has never seen."""
    answer = await revoke(world, client, token, **fields)
    return (answer.status_code, answer.content) == (200, b"")


async def introspect(world: World, client: Registered, token: str, **fields: str) -> dict[str, Any]:
    answer = await asked(world, "/oauth2/introspect", client, token, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    return body


async def active(world: World, client: Registered, *tokens: str) -> list[bool]:
    """Of each. IR2: what is inactive says nothing else."""
    found = await asyncio.gather(*(introspect(world, client, token) for token in tokens))
    assert all(it["active"] is True or it == INACTIVE for it in found)
    return [it["active"] for it in found]


async def both_active(world: World, client: Registered, tokens: Tokens) -> list[bool]:
    return await active(world, client, tokens.access_token, tokens.refresh_token)
