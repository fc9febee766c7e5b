"""One fleet for all: each test leaves two nodes that are ready."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleet_nodes import Fleet


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with Fleet() as running:
        yield running
