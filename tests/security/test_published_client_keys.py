"""Keys that a client publishes, by which it proves itself (CA11; RFC 7523)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import pytest
from places import Place, place
from signing_clients import Service, asked, service
from test_client_authentication import refused
from world import World

from keys import Key, key_set, new_key


@pytest.fixture
async def publisher() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


async def publishing(world: World, publisher: Place, *keys: Key) -> Service:
    publisher.says(json.dumps(key_set(*keys)).encode())
    client = await service(world, jwks=None, jwks_uri=f"http://127.0.0.1:{publisher.port}/jwks")
    client.key = keys[0]
    return client


async def test_keys_are_read_where_the_client_publishes_them_once(world: World, publisher: Place) -> None:
    client = await publishing(world, publisher, new_key(), new_key("RS256"))

    answers = await asyncio.gather(*(asked(world, client.signed()) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(publisher.asked) == 1


async def test_assertions_that_name_other_keys_cause_no_storm(world: World, publisher: Place) -> None:
    """CA11: whoever sends them, the client's server is asked once in half a minute."""
    client = await publishing(world, publisher, new_key())

    for _ in range(10):
        assert refused(await asked(world, client.signed(kid=secrets.token_hex(4))))

    assert len(publisher.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5, null, {}]}', b"\xff", b"[" * 50_000, b"<html>"]
)
async def test_what_is_no_set_of_keys_is_a_refused_client(world: World, publisher: Place, body: bytes) -> None:
    client = await publishing(world, publisher, new_key())
    publisher.says(body)

    assert refused(await asked(world, client.signed()))


async def test_a_published_set_may_hold_keys_that_are_none_of_ours(world: World, publisher: Place) -> None:
    key = new_key()
    client = await publishing(world, publisher, key)
    others = [{"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-521"}, {"kty": "future"}, 5]
    publisher.says(json.dumps({"keys": [*others, key.public | {"x5t": "x", "key_ops": ["verify"]}]}).encode())

    assert (await asked(world, client.signed())).status_code == 200
