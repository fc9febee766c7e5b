"""Which server counts as a standby, and how often one that is down is looked at. The rest is in tests/standby."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from process import free_port

from idp.database.replicas import Replicas
from idp.database.servers import credentials
from idp.embedded import EmbeddedStores

LAG = timedelta(seconds=5)


class Primary:
    """What `Replicas` asks of `idp.database.postgres.Postgres`, of which a process has one only."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def connection(self, _: float) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(**credentials(self._url))
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
def url(breakable: EmbeddedStores) -> str:
    breakable.start()
    return breakable.superuser_url()


async def test_a_server_that_takes_writes_is_no_standby(url: str) -> None:
    """The primary itself, or a standby that was promoted and may have gone its own way."""
    primary: Any = Primary(url)
    replicas = Replicas(primary, (url,), 2, LAG)
    for _ in range(2):
        await replicas.look()

    assert replicas.choose() is None
    assert [(state.number, state.usable, state.lag) for state in replicas.states()] == [(1, False, None)]
    replicas.close()


async def test_one_that_is_down_is_looked_at_ever_more_seldom(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 1000.0, []
    primary: Any = Primary(url)
    replicas = Replicas(primary, (f"postgresql://idp@127.0.0.1:{free_port()}/idp",), 2, LAG)
    monkeypatch.setattr("idp.database.replicas.time.monotonic", lambda: now)
    (replica,) = replicas._replicas
    watching = replica._watching

    async def noted() -> asyncpg.Connection:
        looks.append(now - 1000.0)
        return await watching()

    monkeypatch.setattr(replica, "_watching", noted)
    for _ in range(100):
        await replica.look(())
        now += 1

    assert looks == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0]
    replicas.close()
