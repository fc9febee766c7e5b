"""Families in the real store of this test process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import redis.asyncio
from family import Family, families_in

from idp.database.redis import RedisStore
from idp.embedded import StoreUrls


@pytest.fixture(scope="module")
async def store(urls: StoreUrls) -> AsyncIterator[RedisStore]:
    opened = RedisStore(urls.redis)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def cache(urls: StoreUrls) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.from_url(urls.redis) as client:
        yield client


@pytest.fixture
def family(store: RedisStore, cache: redis.asyncio.Redis) -> Family:
    return Family(families_in(store), cache)


@pytest.fixture
def strict(store: RedisStore, cache: redis.asyncio.Redis) -> Family:
    """Without a grace."""
    return Family(families_in(store, grace=timedelta(0)), cache)
