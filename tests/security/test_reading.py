"""What only reads changes nothing, and what has ended stays ended (SE10, SE17)."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from world import Tokens, World

from idp.app import beside_quart, pages_of, quart_app
from idp.controllers.openapi.routes import routes_of

TABLES = ("users", "clients", "sessions", "mail_tokens", "mails", "sign_in_failures")


async def contents(world: World) -> dict[str, list[str]]:
    """Of every table, once no mail is under way."""
    async with asyncio.timeout(30):
        while await world.database.fetchval("SELECT count(*) FROM mails WHERE sent_at IS NULL AND dropped_at IS NULL"):
            await asyncio.sleep(0.01)
    return {
        table: [row["line"] for row in await world.database.fetch(f"SELECT t::text AS line FROM {table} t ORDER BY 1")]
        for table in TABLES
    }


@pytest.fixture
def readable(world: World) -> list[str]:
    """The path of every GET that there is, with a variable filled in where it has one."""
    routes = [route.path for route in routes_of(quart_app(world.services, world.settings)) if route.method == "GET"]
    filled = [
        path.replace("<anything:client_id>", "idp-rest")
        for path in (*routes, *beside_quart(world.services, world.settings, pages_of(world.settings)))
    ]
    return [path.replace("<uuid:user_id>", str(uuid4())).replace("<uuid:session_id>", str(uuid4())) for path in filled]


async def test_no_get_changes_anything(world: World, readable: list[str]) -> None:
    """SE10: also for an administrator, and with words in the query that would change something in a body."""
    admin = await world.admin()
    more = {"status": "disabled", "name": "Eve", "token": "x", "_method": "DELETE"}
    before = await contents(world)

    for method in ("GET", "HEAD"):
        for path in readable:
            await world.call(method, path, admin)
            await world.call(method, path, admin, params=more)

    assert len(readable) > 15
    assert await contents(world) == before


async def busy(world: World, tokens: Tokens) -> int:
    await world.profile(tokens.access_token)
    return (await world.call("PATCH", "/auth/profile", tokens, json={"name": "Still here"})).status_code


async def test_requests_under_way_revive_no_session_that_ends_meanwhile(world: World) -> None:
    """SE17: a hundred of them, and as many afterwards."""
    tokens = await world.signed_in()

    *statuses, ended = await asyncio.gather(
        *(busy(world, tokens) for _ in range(100)), world.post("/auth/logout", refreshToken=tokens.refresh_token)
    )
    afterwards = await asyncio.gather(*(busy(world, tokens) for _ in range(100)))

    assert ended.status_code == 204
    assert Counter(statuses).keys() <= {200, 401}
    assert set(afterwards) == {401}
    assert (await world.session(tokens))["revoked_at"] is not None
