"""Clients that go on through faults, and remember what they were told."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from sites import Site, generation

PASSWORD = "Correct-Horse-7"
LIMIT = 120.0
PAUSE = 0.05
CONNECTIONS = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)


def browser(site: Site) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=site.url.replace("localhost", "127.0.0.1"), timeout=LIMIT, limits=CONNECTIONS, verify=False
    )


@dataclass
class Log:
    """What clients were answered. A status 0 is a connection that broke before the answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response, *expected: int) -> bool:
        """Whether it is what was hoped for. The only other answer that is right is "not now, try again"."""
        self.statuses[answer.status_code] += 1
        if answer.status_code in expected:
            return True
        if answer.status_code != 503 or not answer.headers.get("retry-after", "").isdigit():
            self.wrong.append(f"{answer.request.url.path}: {answer.status_code} {answer.text}")
        return False


@dataclass
class Client:
    """
    One person with one session. Repeats whatever was not answered, with what it holds.

    With *tabs* every third refresh is sent twice at once, through both doors. (If a store forgets what it did for one of the
    two before the other comes, they hold two different successors, and the next use ends the session: known, and rare.)

    All calls come from one place: however often it repeats a token, it is never refused.

    *salvaged* counts successors that were issued before the request that they answered: by one whose answer was lost.
    """

    http: httpx.AsyncClient
    log: Log
    email: str = field(default_factory=lambda: f"user-{secrets.token_hex(8)}@example.com")
    token: str = ""
    access_token: str = ""
    tabs: bool = True
    rotations: int = 0
    successors: dict[str, set[str]] = field(default_factory=dict)
    salvaged: int = 0

    @property
    def family(self) -> UUID:
        return generation(self.token).family_id

    async def _try(self, path: str, *expected: int, **body: Any) -> httpx.Response | None:
        try:
            if path == "/oauth2/token":
                answer = await self.http.post(path, data=body)
            else:
                answer = await self.http.post(path, json=body)
        except httpx.TransportError:
            self.log.statuses[0] += 1
            return None
        return answer if self.log.note(answer, *expected) else None

    async def _until_answered(self, path: str, *expected: int, **body: Any) -> httpx.Response:
        async with asyncio.timeout(LIMIT):
            while (answer := await self._try(path, *expected, **body)) is None:
                assert not self.log.wrong, self.log.wrong
                await asyncio.sleep(PAUSE)
        return answer

    async def register(self) -> None:
        await self._until_answered("/auth/register", 201, email=self.email, password=PASSWORD, name="Ada")

    async def sign_in(self) -> None:
        answer = await self._until_answered("/auth/login", 200, email=self.email, password=PASSWORD)
        self.token, self.access_token = answer.json()["refreshToken"], answer.json()["accessToken"]

    async def begin(self) -> Client:
        await self.register()
        await self.sign_in()
        return self

    async def sign_out(self) -> None:
        await self._until_answered("/auth/logout", 204, refreshToken=self.token)

    async def refresh(self) -> None:
        await self._until(self._refreshed)

    async def _until(self, attempt: Any) -> None:
        async with asyncio.timeout(LIMIT):
            while not await attempt():
                assert not self.log.wrong, self.log.wrong
                await asyncio.sleep(PAUSE)

    async def _refreshed(self) -> bool:
        """One attempt, at one door and then the other."""
        held = self.token
        number = generation(held).generation
        attempts = [self._one_refresh(held, rest=bool(number % 2))]
        if self.tabs and number % 3 == 0:
            attempts.append(self._one_refresh(held, rest=not number % 2))
        asked_at = time.time()
        got = [token for token in await asyncio.gather(*attempts) if token is not None]
        if not got:
            return False
        self.successors.setdefault(held, set()).update(got)
        self.token = got[0]
        self.rotations += 1
        self.salvaged += generation(self.token).issued_at < int(asked_at * 1000)
        return True

    async def _one_refresh(self, held: str, *, rest: bool) -> str | None:
        if rest:
            answer = await self._try("/auth/refresh", 200, refreshToken=held)
        else:
            form = {"grant_type": "refresh_token", "client_id": "idp-rest", "refresh_token": held}
            answer = await self._try("/oauth2/token", 200, **form)
        if answer is None:
            return None
        return str(answer.json()["refreshToken" if rest else "refresh_token"])

    async def is_refused(self, token: str | None = None) -> bool:
        """Whether the server says that the token is dead: not "try again", and not yes."""
        answer = await self._until_answered("/auth/refresh", 200, 401, refreshToken=token or self.token)
        return answer.status_code == 401


@dataclass
class Crowd:
    clients: list[Client]
    log: Log

    async def progress(self, rotations: int = 3) -> None:
        """Until each has refreshed that many times more. Raises when a client was told anything wrong."""
        goals = [client.rotations + rotations for client in self.clients]
        async with asyncio.timeout(LIMIT):
            while any(client.rotations < goal for client, goal in zip(self.clients, goals, strict=True)):
                assert not self.log.wrong, self.log.wrong
                await asyncio.sleep(0.01)

    async def go_on(self) -> None:
        """Until some have refreshed, of those that can."""
        goal = sum(client.rotations for client in self.clients) + len(self.clients) // 2
        async with asyncio.timeout(LIMIT):
            while sum(client.rotations for client in self.clients) < goal:
                assert not self.log.wrong, self.log.wrong
                await asyncio.sleep(0.005)

    def forks(self) -> list[set[str]]:
        """Generations of which two different successors were handed out."""
        answered = (successors for client in self.clients for successors in client.successors.values())
        return [successors for successors in answered if len(successors) > 1]


@asynccontextmanager
async def refreshing(clients: Iterable[Client], log: Log) -> AsyncIterator[Crowd]:
    """Clients that refresh without a pause until the end of the block."""
    crowd, stop = Crowd(list(clients), log), asyncio.Event()

    async def chain(client: Client) -> None:
        while not stop.is_set():
            await client.refresh()

    chains = [asyncio.create_task(chain(client)) for client in crowd.clients]
    try:
        yield crowd
    finally:
        stop.set()
        outcomes = await asyncio.gather(*chains, return_exceptions=True)
    assert not crowd.log.wrong, crowd.log.wrong
    assert [outcome for outcome in outcomes if outcome is not None] == []
