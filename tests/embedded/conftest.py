"""Embedded stores for these tests alone: one pair that is only looked at, and copies of a ready folder to be damaged."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_owners import Owner

from idp.embedded import EmbeddedStores


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose stores were started once and stopped."""
    folder = tmp_path_factory.mktemp("made") / "stores"
    with EmbeddedStores(folder, durable=False):
        pass
    return folder


@pytest.fixture
def folder(made_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_folder, tmp_path / "stores"))


@pytest.fixture
def stores(folder: Path) -> Iterator[EmbeddedStores]:
    with EmbeddedStores(folder, durable=False) as stores:
        yield stores


@pytest.fixture(scope="session")
def running(made_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    """For tests that only look."""
    folder = shutil.copytree(made_folder, tmp_path_factory.mktemp("running") / "stores")
    with EmbeddedStores(folder, durable=False) as stores:
        yield stores


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="idp-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start_owner() -> Iterator[type[Owner]]:
    owners: list[Owner] = []

    class Kept(Owner):
        def __init__(self, folder: Path, *options: str) -> None:
            super().__init__(folder, *options)
            owners.append(self)

    yield Kept
    for owner in owners:
        if owner.process.poll() is None:
            owner.process.communicate()  # at the end of its input it stops the stores in order
