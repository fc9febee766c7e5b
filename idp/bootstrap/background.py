"""What goes on without a request: each job in a task of its own, until the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from idp.bootstrap.outside import Outside, now
from idp.domain.errors import StoreUnavailable

log = structlog.get_logger("idp.background")

Job = Callable[[], Awaitable[object]]

RESTART_AFTER = timedelta(seconds=5)
PURGE_EVERY = timedelta(hours=1)
PURGE_AFTER = timedelta(days=1)
PURGE_AT_ONCE = 5000


@asynccontextmanager
async def at_work(jobs: Sequence[Job]) -> AsyncIterator[None]:
    """*jobs* run until cancelled, which is at the end of the block."""
    tasks = [asyncio.create_task(_forever(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def repeated(every: timedelta, job: Job, *, first_after: timedelta = timedelta()) -> Job:
    """*job* again and again; a store that is down postpones it to the next time."""

    async def repeat() -> None:
        await asyncio.sleep(first_after.total_seconds())
        while True:
            try:
                await job()
            except StoreUnavailable as fault:
                log.warning("job_postponed", reason=str(fault))
            await asyncio.sleep(every.total_seconds())

    return repeat


def purge(outside: Outside) -> Job:
    """What is over and asked for by nobody."""

    async def work() -> None:
        while await outside.sessions.purge(now() - PURGE_AFTER, PURGE_AT_ONCE) == PURGE_AT_ONCE:
            log.info("sessions_purged", count=PURGE_AT_ONCE)
        await outside.browser_sessions.purge(now() - PURGE_AFTER, PURGE_AT_ONCE)
        while await outside.failures.purge(PURGE_AT_ONCE) == PURGE_AT_ONCE:
            log.info("sign_in_failures_purged", count=PURGE_AT_ONCE)
        while await outside.mails.purge(now() - PURGE_AFTER, PURGE_AT_ONCE) == PURGE_AT_ONCE:
            log.info("mails_purged", count=PURGE_AT_ONCE)
        while await outside.revoked_tokens.purge(now() - PURGE_AFTER, PURGE_AT_ONCE) == PURGE_AT_ONCE:
            log.info("revoked_tokens_purged", count=PURGE_AT_ONCE)
        await outside.mail_tokens.purge(PURGE_AT_ONCE)

    return repeated(PURGE_EVERY, work)


async def _forever(job: Job) -> None:
    """A fault of ours costs one run of a job, not the job: mails would wait until the next start of the process."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("background_job_failed")
        await asyncio.sleep(RESTART_AFTER.total_seconds())
