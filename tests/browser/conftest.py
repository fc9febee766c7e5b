"""One browser for each test process. Without Chromium these tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from chromium import Bench, chromium, executable, unusable
from client_site import ClientSite, serving
from playwright.async_api import Browser


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if (reason := unusable()) is not None:
        pytest.skip(reason)
    async with chromium(executable() or "") as opened:
        yield opened


@pytest.fixture(scope="session")
def bench(browser: Browser) -> Bench:
    return Bench(browser)


@pytest.fixture
async def client_site() -> AsyncIterator[ClientSite]:
    async with serving() as site:
        yield site
