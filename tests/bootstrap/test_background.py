"""Background work goes on, whatever one run of it meets."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from idp.bootstrap import background
from idp.domain.errors import StoreUnavailable

GUARD = 10.0


async def test_a_job_that_fails_unexpectedly_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RESTART_AFTER", timedelta())
    begun: list[int] = []
    again = asyncio.Event()

    async def job() -> None:
        begun.append(1)
        if len(begun) == 1:
            raise RuntimeError("a fault")
        again.set()
        await asyncio.sleep(GUARD)

    async with background.at_work([job]), asyncio.timeout(GUARD):
        await again.wait()

    assert len(begun) == 2


async def test_a_store_that_is_down_postpones_a_repeated_job() -> None:
    outcomes: list[str] = []
    done = asyncio.Event()

    async def job() -> None:
        if not outcomes:
            outcomes.append("down")
            raise StoreUnavailable
        outcomes.append("done")
        done.set()

    async with background.at_work([background.repeated(timedelta(), job)]), asyncio.timeout(GUARD):
        await done.wait()

    assert outcomes[:2] == ["down", "done"]


async def test_jobs_end_with_the_block() -> None:
    ended: list[str] = []

    async def job() -> None:
        try:
            await asyncio.sleep(GUARD)
        finally:
            ended.append("ended")

    async with background.at_work([job, job]):
        await asyncio.sleep(0)

    assert ended == ["ended", "ended"]
