"""The command line beside the server and on the stores that all tests of one process share."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Beside, Forked, Forks, Started

from idp.embedded import StoreUrls


@pytest.fixture(scope="session")
def of_these_stores(folder: Path, urls: StoreUrls) -> dict[str, str]:
    return {
        "IDP_DATA_DIR": str(folder / "data"),
        "IDP_KEYS_DIR": str(folder / "keys"),
        "IDP_DATABASE_URL": urls.database,
        "IDP_MIGRATION_DATABASE_URL": urls.migration,
        "IDP_REDIS_URL": urls.redis,
    }


@pytest.fixture(scope="session")
def program(folder: Path, of_these_stores: dict[str, str], forks: Forks) -> Beside:
    return Beside(Forked(folder, of_these_stores, forks=forks))


@pytest.fixture(scope="session")
def process(folder: Path, of_these_stores: dict[str, str]) -> Started:
    """The program as a process that can be sent signals."""
    return Started(folder, of_these_stores)
