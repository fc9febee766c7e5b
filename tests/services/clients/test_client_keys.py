"""When the keys that a client publishes are read again, by a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from places import Place, place

from idp.domain.clients.clients import Client
from idp.gateways.addresses import Reach
from idp.gateways.outgoing import GuardedOutgoing
from idp.services.clients.client_keys import ClientKeys
from keys import Key, key_set, new_key

OLD, NEW = new_key(), new_key()


@dataclass
class Reader:
    server: Place
    client: Client
    keys: ClientKeys
    clock: list[float] = field(default_factory=lambda: [0.0])

    def publishes(self, *keys: Key) -> None:
        self.server.says(json.dumps(key_set(*keys)).encode())

    def later(self, seconds: float) -> None:
        self.clock[0] += seconds

    async def kids(self, kid: str | None = None) -> list[Any]:
        return [key["kid"] for key in await self.keys.of(self.client, kid)]


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    outgoing, clock = GuardedOutgoing(Reach(loopback=True)), [0.0]
    async with place() as server:
        client = Client(client_id="c", name="C", jwks_uri=f"http://127.0.0.1:{server.port}/jwks")
        found = Reader(server, client, ClientKeys(outgoing, lambda: clock[0]), clock)
        found.publishes(OLD)
        assert await found.kids() == [OLD.kid]
        yield found
    await outgoing.close()


async def test_keys_are_good_for_five_minutes(reader: Reader) -> None:
    reader.publishes(NEW)

    reader.later(299)
    assert await reader.kids(OLD.kid) == [OLD.kid]
    reader.later(1)
    assert await reader.kids(OLD.kid) == [NEW.kid]


async def test_a_key_that_is_not_known_is_looked_for_at_most_every_half_minute(reader: Reader) -> None:
    reader.publishes(OLD, NEW)

    reader.later(29)
    assert await reader.kids(NEW.kid) == [OLD.kid]
    reader.later(1)
    assert await reader.kids(NEW.kid) == [OLD.kid, NEW.kid]
    for _ in range(5):
        await reader.kids("unknown")

    assert len(reader.server.asked) == 2


@pytest.mark.parametrize("broken", ["503 Unavailable", "200 OK"])
async def test_while_they_cannot_be_read_the_last_ones_go_on(reader: Reader, broken: str) -> None:
    reader.server.says(b"oops", broken)

    reader.later(300)
    assert await reader.kids() == [OLD.kid]
    reader.later(10)
    assert await reader.kids() == [OLD.kid]
    assert len(reader.server.asked) == 2

    reader.publishes(NEW)
    reader.later(20)
    assert await reader.kids() == [NEW.kid]
