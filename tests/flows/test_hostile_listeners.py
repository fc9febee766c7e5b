"""Clients that are told of a logout (OpenID Connect Back-Channel Logout 1.0) and are hostile, or hang."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from leaving import signed_in
from told import Listener, listener, queued, until, until_none
from world import World

from idp.services.sessions.backchannel_logout import PER_CLIENT


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(world: World, status: str) -> None:
    """LO9."""
    async with (
        listener(world) as inside,
        listener(world, status, f"Location: {inside.uri}") as client,
        signed_in(world, backchannel_logout_uri=client.uri) as user,
    ):
        await user.logout(id_token_hint=user.hint)
        await until(world, user.client_id, "attempts = 1 AND next_at < now() + interval '6 seconds'")

        assert inside.place.asked == []


@pytest.mark.parametrize(
    "uri", ["https://10.0.0.1/", "https://169.254.169.254/", "https://[fd00::1]/", "http://a.test/"]
)
async def test_addresses_inside_are_not_called(world: World, uri: str) -> None:
    """LO9."""
    party = await world.client(backchannel_logout_uri=uri)
    await queued(world, party.client_id, attempts=9)
    await until_none(world, party.client_id)

    (event,) = await world.events("logout_notice_dropped", client_id=party.client_id)
    assert event["detail"]["reason"] in ("no address of that name may be called", "asked over https only")


async def test_an_answer_without_end_is_not_read(world: World) -> None:
    """LO9."""

    async def on_and_on(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
                await writer.drain()

    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        client.place.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.place.stay = on_and_on
        await user.logout(id_token_hint=user.hint)
        await client.told()
        await until_none(world, user.client_id)

        assert len(client.tokens) == 1


async def test_a_client_that_hangs_keeps_nobody_else_waiting(world: World) -> None:
    """LO9: it has no more than its share of calls, and the others are told meanwhile."""
    async with listener(world) as hanging, listener(world) as other:
        released = hang(hanging)
        slow = await world.client(backchannel_logout_uri=hanging.uri)
        quick = await world.client(backchannel_logout_uri=other.uri)
        for _ in range(20):
            await queued(world, slow.client_id)
        await hanging.told(PER_CLIENT)
        for _ in range(20):
            await queued(world, quick.client_id)
        await other.told(20)
        under_way = len(hanging.tokens)
        released.set()
        await world.database.execute("DELETE FROM logout_notices WHERE client_id = $1", slow.client_id)

    assert under_way == PER_CLIENT


async def test_a_client_that_never_answers_is_left(world: World) -> None:
    """LO9: the call ends by itself, and counts as one that was not taken."""
    async with listener(world) as hanging:
        released = hang(hanging)
        party = await world.client(backchannel_logout_uri=hanging.uri)
        await queued(world, party.client_id, attempts=9)
        await until_none(world, party.client_id)
        released.set()

    (event,) = await world.events("logout_notice_dropped", client_id=party.client_id)
    assert event["detail"]["reason"].startswith("no answer within")


def hang(client: Listener) -> asyncio.Event:
    """It takes what is said and answers nothing until the event is set."""
    released = asyncio.Event()

    async def never(_: asyncio.StreamWriter) -> None:
        await released.wait()

    client.place.answer, client.place.stay = b"", never
    return released
