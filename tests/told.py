"""A client that is told of logouts: a real server on this machine, and what the queue holds for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import asyncpg
from places import Place, place
from world import World


@dataclass
class Listener:
    """*place* is where the client listens, at `uri`."""

    world: World
    place: Place

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.place.port}/backchannel"

    @property
    def tokens(self) -> list[str]:
        """Every logout token that has come so far."""
        bodies = [request.partition(b"\r\n\r\n")[2].decode() for request in self.place.asked]
        return [parse_qs(body, strict_parsing=True)["logout_token"][0] for body in bodies]

    async def told(self, most: int = 1) -> list[str]:
        """The tokens, once there are that many."""
        async with asyncio.timeout(30):
            while len(self.tokens) < most:
                await asyncio.sleep(0.01)
        return self.tokens


@asynccontextmanager
async def listener(world: World, status: str = "200 OK", *headers: str) -> AsyncIterator[Listener]:
    async with place() as found:
        found.says(b"", status, *headers)
        yield Listener(world, found)


async def notices(world: World, client_id: str) -> list[asyncpg.Record]:
    return list(await world.database.fetch("SELECT * FROM logout_notices WHERE client_id = $1", client_id))


async def until(world: World, client_id: str, condition: str) -> asyncpg.Record:
    """A notice for that client, once *condition* holds for one."""
    query = f"SELECT * FROM logout_notices WHERE client_id = $1 AND {condition}"
    async with asyncio.timeout(30):
        while (row := await world.database.fetchrow(query, client_id)) is None:
            await asyncio.sleep(0.01)
    return row


async def until_none(world: World, client_id: str) -> None:
    async with asyncio.timeout(30):
        while await notices(world, client_id):
            await asyncio.sleep(0.01)


async def is_due(world: World, client_id: str) -> None:
    await world.database.execute("UPDATE logout_notices SET next_at = now() WHERE client_id = $1", client_id)


async def queued(world: World, client_id: str, **columns: Any) -> Any:
    """A notice as one that has waited; due now. The id of its user."""
    insert = """
        INSERT INTO logout_notices (id, client_id, user_id, session_id, created_at, attempts, next_at)
        VALUES (gen_random_uuid(), $1, gen_random_uuid(), gen_random_uuid(), now() - $3 * interval '1 minute', $2, now())
        RETURNING user_id
    """
    return await world.database.fetchval(insert, client_id, columns.get("attempts", 0), columns.get("minutes", 0))
