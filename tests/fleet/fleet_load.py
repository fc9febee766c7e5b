"""Honest clients who go on while nodes come and go, and write down everything they were not given."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from fleet_nodes import Fleet

PASSWORD = "Correct-Horse-7"
TIMEOUT = 60.0
PAUSE = 0.25


@dataclass
class Log:
    """*first_failed*: requests without an answer, or with a 5xx, at the first attempt; *failed*: at the second one too."""

    requests: int = 0
    first_failed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def availability(self) -> float:
        """With one more try."""
        return 1 - len(self.failed) / max(1, self.requests)

    def told(self, seconds: float) -> str:
        return (
            f"{self.requests} requests in {seconds:.0f} s, {len(self.first_failed)} failed at the first attempt, "
            f"{len(self.failed)} at the second; availability {self.availability:.4%}; slowest {self.slowest:.2f} s"
        )


@dataclass
class Person:
    http: httpx.AsyncClient
    log: Log
    chance: Random
    email: str = field(default_factory=lambda: f"user-{secrets.token_hex(8)}@example.com")
    refresh_token: str = ""
    access_token: str = ""

    async def begin(self) -> Person:
        body = {"email": self.email, "password": PASSWORD, "name": "Ada"}
        await self._sent("/auth/register", 201, json=body)
        await self.sign_in()
        return self

    async def sign_in(self) -> None:
        """One more session: the one held stays."""
        answer = await self._sent("/auth/login", 200, json={"email": self.email, "password": PASSWORD})
        if answer is not None and not self.refresh_token:
            self.refresh_token = answer.json()["refreshToken"]

    async def refresh(self) -> None:
        if self.chance.random() < 0.5:
            answer = await self._sent("/auth/refresh", 200, json={"refreshToken": self.refresh_token})
            token, access = "refreshToken", "accessToken"
        else:
            form = {"grant_type": "refresh_token", "client_id": "idp-rest", "refresh_token": self.refresh_token}
            answer = await self._sent("/oauth2/token", 200, data=form)
            token, access = "refresh_token", "access_token"
        if answer is not None:
            self.refresh_token, self.access_token = answer.json()[token], answer.json()[access]

    async def look(self) -> None:
        """At the own profile, with an access token that any of the nodes may have signed."""
        await self._sent("/auth/profile", 200, "GET", headers={"Authorization": f"Bearer {self.access_token}"})

    async def step(self) -> None:
        kind = self.chance.random()
        if kind < 0.1:
            await self.sign_in()
        elif kind < 0.3 and self.access_token:
            await self.look()
        else:
            await self.refresh()

    async def _sent(self, path: str, expected: int, method: str = "POST", **parts: Any) -> httpx.Response | None:
        """The answer, at the first attempt or the second, which comes at once."""
        self.log.requests += 1
        for failures in (self.log.first_failed, self.log.failed):
            begun = time.monotonic()
            try:
                answer = await self.http.request(method, path, **parts)
            except httpx.TransportError as fault:
                failures.append(f"{path}: {type(fault).__name__} {fault}")
                continue
            self.log.slowest = max(self.log.slowest, time.monotonic() - begun)
            if answer.status_code == expected:
                return answer
            if answer.status_code < 500:
                self.log.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                return None
            failures.append(f"{path}: {answer.status_code} {answer.text[:200]}")
        return None


@dataclass
class Crowd:
    people: list[Person]
    log: Log

    async def all_still_signed_in(self) -> bool:
        """Each refreshes once more."""
        for person in self.people:
            held = person.refresh_token
            await person.refresh()
            if person.refresh_token == held:
                return False
        return True


@asynccontextmanager
async def load(fleet: Fleet, people: int = 10) -> AsyncIterator[Crowd]:
    """People who refresh, sign in and look at their profiles until the end of the block."""
    log, stop = Log(), asyncio.Event()

    async def life(person: Person) -> None:
        while not stop.is_set():
            await person.step()
            await asyncio.sleep(person.chance.uniform(0, 2 * PAUSE))

    async with httpx.AsyncClient(
        base_url=fleet.url.replace("localhost", "127.0.0.1"), timeout=TIMEOUT, verify=False
    ) as http:
        crowd = Crowd([await Person(http, log, Random(number)).begin() for number in range(people)], log)
        lives = [asyncio.create_task(life(person)) for person in crowd.people]
        try:
            yield crowd
        finally:
            stop.set()
            await asyncio.gather(*lives)
        assert await crowd.all_still_signed_in(), log
