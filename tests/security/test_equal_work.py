"""Known or unknown, an address costs the same work: statements to the database, hashes, mails queued (RG1, RG2, PW14)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from world import PASSWORD, World

from idp.domain.events import origin


@dataclass
class Statements:
    """What requests sent to Postgres, by the User-Agent that they came with."""

    world: World
    sent: dict[str | None, list[str]] = field(default_factory=dict)

    async def of(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, list[str]]:
        """The status of the answer, and the statements that it took."""
        agent = secrets.token_hex(8)
        answer = await self.world.post(path, headers={"User-Agent": agent} | (headers or {}), **body)
        return answer.status_code, self.sent.get(agent, [])


@pytest.fixture
def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    found = Statements(world)
    execute = asyncpg.Connection._do_execute

    async def counted(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        found.sent.setdefault(origin.get().user_agent, []).append(query)
        return await execute(self, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "_do_execute", counted)
    return found


async def test_registering_takes_the_same_statements_for_a_known_address(world: World, statements: Statements) -> None:
    """RG1."""
    body = {"password": "Another-Pass-8", "name": "Eve"}

    known = await statements.of("/auth/register", email=await world.registered(), **body)
    new = await statements.of("/auth/register", email=world.new_email(), **body)

    assert known == new
    assert new[0] == 201


async def test_asking_for_a_reset_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements
) -> None:
    """RG2: the user is not even looked up before the answer."""
    known = await statements.of("/auth/forgot-password", email=await world.registered())
    unknown = await statements.of("/auth/forgot-password", email=world.new_email())

    assert known == unknown
    assert unknown[0] == 202
    assert not any("users" in statement for statement in unknown[1])


async def test_a_change_of_address_takes_the_same_statements_for_a_taken_one(
    world: World, statements: Statements
) -> None:
    tokens = await world.signed_in()
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    body = {"headers": headers, "currentPassword": PASSWORD}

    taken = await statements.of("/auth/change-email", newEmail=await world.registered(), **body)
    free = await statements.of("/auth/change-email", newEmail=world.new_email(), **body)

    assert taken == free
    assert free[0] == 202


async def test_a_failed_sign_in_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements
) -> None:
    """PW14."""
    known = await statements.of("/auth/login", email=await world.registered(), password="Wrong-Horse-7")
    unknown = await statements.of("/auth/login", email=world.new_email(), password="Wrong-Horse-7")

    assert known == unknown
    assert unknown[0] == 401


async def test_a_token_that_cannot_be_one_asks_no_store_and_hashes_nothing(
    world: World, statements: Statements
) -> None:
    """RG9: rubbish costs next to nothing."""
    status, sent = await statements.of("/auth/reset-password", token="x" * 99, newPassword=PASSWORD)

    assert (status, sent) == (400, [])
