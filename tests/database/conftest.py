"""Stores that a test may kill, stop and flush."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.embedded import EmbeddedStores


@pytest.fixture(scope="session")
def own_stores() -> Iterator[EmbeddedStores]:
    folder = Path(tempfile.mkdtemp(prefix="idp-"))
    with EmbeddedStores(folder / "stores", durable=False) as stores:
        yield stores
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def breakable(own_stores: EmbeddedStores) -> Iterator[EmbeddedStores]:
    """Both up at the start of the test, and again after it."""
    yield own_stores
    own_stores.restart_dead()
    own_stores.start_valkey()
    own_stores.start_postgres()
