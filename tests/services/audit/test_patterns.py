"""Suspicious patterns: each told once, and nobody suspected for less."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from world import Tokens, World

from idp.domain.audit.events import Origin, SignInFailed, origin


async def failed(world: World, address: str, identifier: str, **concerned: Any) -> None:
    origin.set(Origin(address=address))
    await world.services.events.record(SignInFailed(cause="wrong_password", identifier=identifier, **concerned))


def an_address() -> str:
    return f"2001:db8::{secrets.token_hex(2)}:{secrets.token_hex(2)}"


def an_identifier() -> str:
    return secrets.token_hex(8)


async def refused(world: World, tokens: Tokens, times: int) -> UUID:
    for _ in range(times):
        answer = await world.http.get("/admin/users", headers={"Authorization": f"Bearer {tokens.access_token}"})
        assert answer.status_code == 403
    return (await world.session(tokens))["user_id"]  # type: ignore[no-any-return]


async def test_many_accounts_from_one_address_are_told_once(world: World) -> None:
    """One password tried across accounts."""
    address = an_address()
    for _ in range(10):
        await failed(world, address, an_identifier())

    await asyncio.gather(*(world.services.patterns.look() for _ in range(5)))
    await failed(world, address, an_identifier())
    await world.services.patterns.look()

    [event] = await world.events("many_accounts_from_one_address", address=address)
    assert event["detail"] == {"identifiers": 10, "failures": 10}
    assert event["severity"] == "error"


async def test_one_account_and_many_failures_from_one_address_are_no_such_pattern(world: World) -> None:
    address, identifier = an_address(), an_identifier()
    for _ in range(12):
        await failed(world, address, identifier)

    await world.services.patterns.look()

    assert await world.events("many_accounts_from_one_address", address=address) == []


async def test_nine_accounts_are_not_many(world: World) -> None:
    address = an_address()
    for _ in range(9):
        await failed(world, address, an_identifier())

    await world.services.patterns.look()

    assert await world.events("many_accounts_from_one_address", address=address) == []


async def test_many_addresses_for_one_account_are_told_once(world: World) -> None:
    tokens, identifier = await world.signed_in(), an_identifier()
    user_id = (await world.session(tokens))["user_id"]
    for _ in range(10):
        await failed(world, an_address(), identifier, user_id=user_id)

    await world.services.patterns.look()
    await world.services.patterns.look()

    [event] = await world.events("many_addresses_for_one_account", user_id=user_id)
    assert event["detail"] == {"identifier": identifier, "addresses": 10, "failures": 10}
    assert event["address"] is None


async def test_who_is_refused_again_and_again_is_suspected_once(world: World) -> None:
    tokens = await world.signed_in()
    user_id = await refused(world, tokens, 3)

    await world.services.patterns.look()
    await refused(world, tokens, 3)
    await world.services.patterns.look()

    [event] = await world.events("privilege_escalation_suspected", user_id=user_id)
    assert event["detail"] == {"attempts": 3}
    assert event["address"] == "127.0.0.1"


async def test_who_is_refused_twice_is_not_suspected(world: World) -> None:
    user_id = await refused(world, await world.signed_in(), 2)

    await world.services.patterns.look()

    assert await world.events("privilege_escalation_suspected", user_id=user_id) == []


async def test_after_the_window_it_is_told_again_and_what_lies_before_it_does_not_count(world: World) -> None:
    tokens = await world.signed_in()
    user_id = await refused(world, tokens, 3)
    await world.services.patterns.look()
    # As the owner, who can move what is past; the chain of today notices, which is not asked here.
    await world.database.execute(
        "UPDATE audit.events SET at = at - $1::interval WHERE user_id = $2", timedelta(minutes=16), user_id
    )
    try:
        await refused(world, tokens, 2)
        await world.services.patterns.look()
        assert len(await world.events("privilege_escalation_suspected", user_id=user_id)) == 1

        await refused(world, tokens, 1)
        await world.services.patterns.look()
        assert len(await world.events("privilege_escalation_suspected", user_id=user_id)) == 2
    finally:
        await world.database.execute(
            "UPDATE audit.events SET at = at + $1::interval WHERE user_id = $2 AND at < now() - $1::interval",
            timedelta(minutes=16),
            user_id,
        )


async def test_an_old_token_of_a_former_administrator_is_told_apart_from_a_mistake(world: World) -> None:
    """A token that says ADMIN while the user is none any more."""
    admin, user = await world.admin(), await world.signed_in()
    user_id = (await world.session(admin))["user_id"]
    await world.database.execute("UPDATE users SET roles = '{USER}' WHERE id = $1", user_id)

    await refused(world, admin, 1)
    plain_id = await refused(world, user, 1)

    [stale] = await world.events("stale_role_used", user_id=user_id)
    assert stale["detail"] == {"method": "GET", "path": "/admin/users"}
    assert await world.events("access_denied", user_id=user_id) == []
    assert len(await world.events("access_denied", user_id=plain_id)) == 1
