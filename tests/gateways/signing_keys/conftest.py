"""A folder of signing keys that a test may spoil, at a time that it sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from key_folders import MAX_AGE, TOKEN_LIFETIME, Clock

from idp.domain.operation.signing_keys import ALGORITHMS
from idp.gateways.key_files import KeyFiles


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def faults() -> list[str]:
    """What was told of the folder while it was watched."""
    return []


@pytest.fixture
def opened(folder: Path, clock: Clock, faults: list[str]) -> Callable[[], KeyFiles]:
    def opened() -> KeyFiles:
        keys = KeyFiles(folder, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock, on_fault=faults.append)
        keys.load()
        return keys

    return opened


@pytest.fixture
def keys(opened: Callable[[], KeyFiles]) -> KeyFiles:
    """With a key of each algorithm."""
    keys = opened()
    keys.provide(ALGORITHMS)
    return keys
