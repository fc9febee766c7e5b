"""
Ten times the logins that bcrypt can do, and what everybody else notices of it.

Logins arrive at a fixed rate, whether or not the ones before them are answered. Beside them a few clients refresh and fetch
the key set at an easy pace: first alone, then in the storm.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx
import uvloop

from bench.ours import JWKS, LOGIN, PASSWORD, TOKEN
from bench.processes import largest_rss
from bench.report import table
from bench.requests import Workload
from bench.targets import Target

TIMES_TOO_MANY = 10
PAUSE = 0.05  # seconds between two requests of one easy client
EASY_CLIENTS = 4
WARM_UP_LOGINS = 4


@dataclass(slots=True)
class Latencies:
    """Milliseconds, by what was asked and the status of the answer."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    async def of(self, name: str, request: Awaitable[httpx.Response]) -> httpx.Response:
        started = time.perf_counter()
        answer = await request
        self.taken.setdefault(f"{name} {answer.status_code}", []).append((time.perf_counter() - started) * 1000)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """*offered* logins a second. Memory in bytes, of one worker."""

    offered: float
    alone: Latencies
    stormy: Latencies
    rss_before: int
    rss_after: int


def run(target: Target, client: tuple[str, str], seconds: float, tell: Callable[[str], None]) -> Storm:
    return uvloop.run(_whole(target, client, seconds, tell))


async def _whole(target: Target, client: tuple[str, str], seconds: float, tell: Callable[[str], None]) -> Storm:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    base = f"http://127.0.0.1:{target.port}"
    async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False, limits=limits) as http:
        each = await _login_seconds(http)
        offered = TIMES_TOO_MANY / each
        sessions = [script.refresh_token or "" for script in target.scripts[Workload.REFRESH][:EASY_CLIENTS]]
        tell(f"storm: {seconds:g} s of calm, then {seconds:g} s of {offered:.0f} logins a second")
        alone, stormy = Latencies(), Latencies()
        sessions = await _easy(http, client, sessions, alone, seconds)
        before = largest_rss(target.program.pid)
        logins = asyncio.create_task(_logins(http, stormy, offered, seconds))
        await _easy(http, client, sessions, stormy, seconds)
        await logins
        after = largest_rss(target.program.pid)
    return Storm(offered=offered, alone=alone, stormy=stormy, rss_before=before, rss_after=after)


async def _login_seconds(http: httpx.AsyncClient) -> float:
    taken = []
    for _ in range(WARM_UP_LOGINS):
        started = time.perf_counter()
        (await _login(http)).raise_for_status()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _login(http: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return http.post(LOGIN, json={"email": "user-0@example.com", "password": PASSWORD})


async def _logins(http: httpx.AsyncClient, latencies: Latencies, offered: float, seconds: float) -> None:
    begun, under_way = time.perf_counter(), []
    for number in range(int(offered * seconds)):
        await asyncio.sleep(max(0.0, begun + number / offered - time.perf_counter()))
        under_way.append(asyncio.create_task(latencies.of("login", _login(http))))
    await asyncio.gather(*under_way)


async def _easy(
    http: httpx.AsyncClient, client: tuple[str, str], tokens: Sequence[str], latencies: Latencies, seconds: float
) -> list[str]:
    """Their refresh tokens afterwards."""
    end = time.perf_counter() + seconds

    async def refreshing(token: str) -> str:
        while time.perf_counter() < end:
            form = {"grant_type": "refresh_token", "refresh_token": token}
            answer = await latencies.of("refresh", http.post(TOKEN, data=form, auth=client))
            token = answer.json().get("refresh_token", token)
            await asyncio.sleep(PAUSE)
        return token

    async def fetching() -> None:
        while time.perf_counter() < end:
            await latencies.of("jwks", http.get(JWKS))
            await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        for _ in range(EASY_CLIENTS):
            group.create_task(fetching())
        ended = [group.create_task(refreshing(token)) for token in tokens]
    return [task.result() for task in ended]


def markdown(storm: Storm) -> str:
    rows = [
        (when, name, f"{len(taken):,}", f"{statistics.median(taken):.1f}", f"{_p99(taken):.1f}")
        for when, latencies in (("alone", storm.alone), ("storm", storm.stormy))
        for name, taken in sorted(latencies.taken.items())
    ]
    return "\n\n".join(
        (
            f"{storm.offered:.0f} logins a second offered, {TIMES_TOO_MANY} × what one thread of bcrypt does.",
            table(("when", "request and answer", "count", "p50 ms", "p99 ms"), rows),
            f"RSS of the worker: {storm.rss_before / 2**20:.0f} MiB before, {storm.rss_after / 2**20:.0f} MiB after.\n",
        )
    )


def _p99(taken: Sequence[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.99))]
