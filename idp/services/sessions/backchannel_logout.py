"""
Emptying the queue of logout notices: in every process, several at once, each notice by one of them.

A client may be slow, dead or hostile. It never has more than `PER_CLIENT` calls of a process at a time and each ends within
seconds (`Outgoing`), so the others are told meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from idp.domain.clients.clients import Clients
from idp.domain.errors import StoreUnavailable, Unavailable
from idp.domain.operation.outgoing import Outgoing, OutgoingFailed
from idp.domain.sessions.logout_notices import LogoutNotice, LogoutNotices
from idp.services.sessions.logout_tokens import LogoutTokens

log = structlog.get_logger("idp.logout")

AT_ONCE = 16
PER_CLIENT = 2
POLL = timedelta(seconds=1)
GRACE = timedelta(seconds=5)
# Longer than a call can take, or another process would make it too.
LEASE = timedelta(minutes=1)
TOLD = (200, 204)

UnderWay = dict[asyncio.Task[None], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackchannelLogout:
    """*on_result* is told `told`, `postponed`, `dropped` or, of a client that wants it no more, `void`."""

    notices: LogoutNotices
    clients: Clients
    outgoing: Outgoing
    tokens: LogoutTokens
    on_result: Callable[[str], None]
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Until cancelled. Calls under way then may still end: told and not deleted, the client would be told again."""
        under_way: UnderWay = {}
        try:
            while True:
                if not await self._begin(under_way):
                    await _next(under_way)
        finally:
            if under_way:
                _, late = await asyncio.wait(under_way, timeout=GRACE.total_seconds())
                for task in late:
                    task.cancel()

    async def _begin(self, under_way: UnderWay) -> int:
        """As many more calls as may be; how many those are."""
        free = AT_ONCE - len(under_way)
        if free <= 0:
            return 0
        busy = [client_id for client_id, calls in Counter(under_way.values()).items() if calls >= PER_CLIENT]
        try:
            claimed = await self.notices.claim(free, LEASE, beside=busy)
        except StoreUnavailable as fault:
            log.warning("logout_notices_not_claimed", reason=str(fault))
            return 0
        for notice in claimed:
            task = asyncio.create_task(self._deliver(notice))
            under_way[task] = notice.client_id
            task.add_done_callback(under_way.pop)
        return len(claimed)

    async def _deliver(self, notice: LogoutNotice) -> None:
        try:
            await self._tried(notice)
        except StoreUnavailable as fault:
            log.warning("logout_notice_postponed", **_named(notice), reason=str(fault))  # the lease brings it back
        except Exception as fault:
            # One that cannot be made waits like one that is not taken, and is given up in the end.
            log.exception("logout_notice_failed", **_named(notice))
            with suppress(StoreUnavailable):
                await self._not_told(notice, type(fault).__name__)

    async def _tried(self, notice: LogoutNotice) -> None:
        client = await self.clients.present(notice.client_id)
        if client is None or not client.enabled or client.backchannel_logout_uri is None:
            await self.notices.told(notice)
            self.on_result("void")
            return
        try:
            form = {"logout_token": self.tokens.issue(notice, client)}
            status = await self.outgoing.post(client.backchannel_logout_uri, form)
        except (OutgoingFailed, Unavailable) as fault:
            await self._not_told(notice, str(fault))
            return
        if status not in TOLD:
            await self._not_told(notice, f"answered {status}")
            return
        await self.notices.told(notice)
        self.on_result("told")

    async def _not_told(self, notice: LogoutNotice, reason: str) -> None:
        if notice.given_up(self.now()):
            await self.notices.drop(notice, reason)
            self.on_result("dropped")
            return
        wait = notice.retry_in()
        await self.notices.postpone(notice, wait)
        log.warning("logout_notice_postponed", **_named(notice), reason=reason, seconds=wait.seconds)
        self.on_result("postponed")


async def _next(under_way: UnderWay) -> None:
    """Until there is something to do, as far as can be told here: a call has ended, or it is time to look again."""
    if under_way:
        await asyncio.wait(under_way, timeout=POLL.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(POLL.total_seconds())


def _named(notice: LogoutNotice) -> dict[str, str]:
    return {"client_id": notice.client_id, "session_id": str(notice.session_id)}
