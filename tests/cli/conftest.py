"""Stores of their own, so that these tests alone decide which administrators there are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import prepared_stores
import pytest
from databases import empty_database
from program import Forked, Forks

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores, StoreUrls


@pytest.fixture(scope="session")
def own_folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="idp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def command_stores(own_folder: Path) -> Iterator[EmbeddedStores]:
    prepared_stores.prepare(own_folder / "stores")
    with EmbeddedStores(own_folder / "stores", durable=False) as stores:
        yield stores


@pytest.fixture(scope="session")
def store_urls(command_stores: EmbeddedStores) -> StoreUrls:
    return command_stores.start()


@pytest.fixture(scope="session")
def program(own_folder: Path, store_urls: StoreUrls, forks: Forks) -> Forked:
    """On a migrated database that all tests of commands share."""
    made = configured(own_folder, store_urls, forks)
    assert made("db", "migrate").status == 0
    return made


@pytest.fixture
async def empty_program(
    own_folder: Path, command_stores: EmbeddedStores, store_urls: StoreUrls, forks: Forks
) -> AsyncIterator[Forked]:
    """On a database of its own that was never migrated."""
    async with empty_database(command_stores, store_urls) as found:
        yield configured(own_folder, found, forks)


@pytest.fixture
async def database(program: Forked, store_urls: StoreUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(**credentials(store_urls.database))
    yield connection
    await connection.close()


def configured(folder: Path, urls: StoreUrls, forks: Forks) -> Forked:
    settings = {
        "IDP_DATA_DIR": str(folder / "data"),
        "IDP_KEYS_DIR": str(folder / "keys"),
        "IDP_DATABASE_URL": urls.database,
        "IDP_MIGRATION_DATABASE_URL": urls.migration,
        "IDP_REDIS_URL": urls.redis,
    }
    return Forked(folder, settings, forks=forks)
