"""People who come and go through faults, and what the server acknowledged to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
from clients import Client, Log

DEADLINE = 60.0


@dataclass
class Journal:
    """What the server acknowledged."""

    registered: list[str] = field(default_factory=list)
    ended: list[Client] = field(default_factory=list)

    async def lives(self, http: httpx.AsyncClient, log: Log) -> None:
        """One person after another: registers, signs in, refreshes twice, signs out."""
        while True:
            client = Client(http, log)
            await client.register()
            self.registered.append(client.email)
            await client.sign_in()
            await client.refresh()
            await client.refresh()
            await client.sign_out()
            self.ended.append(client)


@asynccontextmanager
async def people(http: httpx.AsyncClient, log: Log) -> AsyncIterator[Journal]:
    journal = Journal()
    tasks = [asyncio.create_task(journal.lives(http, log)) for _ in range(6)]
    try:
        yield journal
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}, outcomes


async def more(count: list[object] | list[str] | list[Client], by: int) -> None:
    goal = len(count) + by
    async with asyncio.timeout(DEADLINE):
        while len(count) < goal:
            await asyncio.sleep(0.01)


async def told_to_try_again(log: Log) -> None:
    before = log.statuses[503]
    async with asyncio.timeout(DEADLINE):
        while log.statuses[503] <= before:
            await asyncio.sleep(0.01)


async def require_kept(journal: Journal, database: asyncpg.Connection) -> None:
    """Everything that was acknowledged, as *database* has it and as the server answers."""
    known = await database.fetch("SELECT email FROM users WHERE email = ANY($1)", journal.registered)
    families = [client.family for client in journal.ended]
    revoked = await database.fetch(
        "SELECT id FROM sessions WHERE family_id = ANY($1) AND revoked_reason = 'logout'", families
    )
    assert {row["email"] for row in known} == set(journal.registered)
    assert len(revoked) == len(families)
    assert all([await client.is_refused() for client in journal.ended])
