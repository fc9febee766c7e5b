"""
Resource servers that verify RS256 tokens all the time and keep the key set in three ways, with three libraries.

Each runs in a thread of its own and holds against the server every live token that it cannot verify.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

PACE = 0.005  # seconds between two tokens, so that three verifiers leave the server its turn
NEARLY_OVER = 0.5  # seconds: a token that ends while it is looked at proves nothing

# The others are claims of the server; and the time is not always the time of day.
SIGNATURE_ONLY: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}

Clock = Callable[[], float]  # seconds since 1970


@dataclass(frozen=True)
class Issued:
    token: str
    kid: str
    expires_at: float

    @classmethod
    def of(cls, token: str) -> Issued:
        claims = jwt.decode(token, options={"verify_signature": False})
        return cls(token, jwt.get_unverified_header(token)["kid"], float(claims["exp"]))


class Tokens:
    """Those that are still good, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: deque[Issued] = deque()
        self.kids: list[str] = []

    def add(self, token: str) -> None:
        issued = Issued.of(token)
        if issued.kid not in self.kids:
            self.kids.append(issued.kid)
        self._live.append(issued)
        while not self.good(self._live[0]):
            self._live.popleft()

    def good(self, issued: Issued) -> bool:
        return self._clock() + NEARLY_OVER < issued.expires_at

    def some(self) -> Sequence[Issued]:
        """The newest, the oldest and one between: who verifies these has needed the newest and the oldest key."""
        live = [issued for issued in tuple(self._live) if self.good(issued)]
        return [live[-1], live[0], live[len(live) // 2]] if live else []


class ByPyJwt:
    """`PyJWKClient`: keeps the set for the max-age, and fetches it again for a key that is not in it."""

    def __init__(self, places: Sequence[str], max_age: int, clock: Clock) -> None:
        self._clients = cycle([jwt.PyJWKClient(place, lifespan=max_age) for place in places])

    def verify(self, token: str) -> None:
        jwt.decode(
            token,
            next(self._clients).get_signing_key_from_jwt(token),
            algorithms=["RS256"],
            audience=None,
            options=SIGNATURE_ONLY,
        )


class ByCacheControl:
    """As an HTTP cache in front would have it: the set is kept for just as long as its answer allows, known key or not."""

    def __init__(self, places: Sequence[str], max_age: int, clock: Clock) -> None:
        self._places = cycle(places)
        self._clock = clock
        self._fresh_until = 0.0
        self._keys = KeySet([])

    def verify(self, token: str) -> None:
        if self._clock() >= self._fresh_until:
            answer = httpx.get(next(self._places), timeout=60, verify=False)
            age = re.search(r"max-age=(\d+)", answer.headers["cache-control"])
            assert age
            self._keys = KeySet.import_key_set(answer.json())
            self._fresh_until = self._clock() + int(age[1])
        joserfc_jwt.decode(token, self._keys, algorithms=["RS256"])


class ByUnknownKey:
    """Keeps the set for ever, and fetches it again only for a key that is not in it."""

    def __init__(self, places: Sequence[str], max_age: int, clock: Clock) -> None:
        self._places = cycle(places)
        self._keys: dict[str, Any] = {}
        self.fetched = 0

    def verify(self, token: str) -> None:
        kid = jwt.get_unverified_header(token)["kid"]
        if kid not in self._keys:
            self.fetched += 1
            answer = httpx.get(next(self._places), timeout=60, verify=False)
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        jwt.decode(token, self._keys[kid], algorithms=["RS256"], options=SIGNATURE_ONLY)


@dataclass
class ResourceServer:
    verifier: ByPyJwt | ByCacheControl | ByUnknownKey
    tokens: Tokens
    verified: int = 0
    rounds: int = 0
    kids: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return type(self.verifier).__name__

    def work(self) -> None:
        while not self.over.wait(PACE):
            for issued in self.tokens.some():
                self._look_at(issued)
            self.rounds += 1

    def _look_at(self, issued: Issued) -> None:
        try:
            self.verifier.verify(issued.token)
        except Exception as fault:
            if self.tokens.good(issued):
                self.refused.append(f"{issued.kid}: {fault!r}")
        else:
            self.verified += 1
            self.kids.add(issued.kid)


KINDS: Sequence[Callable[[Sequence[str], int, Clock], Any]] = (ByPyJwt, ByCacheControl, ByUnknownKey)


@asynccontextmanager
async def resource_servers(
    places: Sequence[str], max_age: int, tokens: Tokens, clock: Clock
) -> AsyncIterator[list[ResourceServer]]:
    """At work until the end of the block. *places* are the addresses of one key set, asked in turn."""
    servers = [ResourceServer(kind(places, max_age, clock), tokens) for kind in KINDS]
    with ThreadPoolExecutor(len(servers)) as threads:
        # Waited for without holding the event loop, which may have an answer for one of them.
        working = [asyncio.get_running_loop().run_in_executor(threads, server.work) for server in servers]
        try:
            yield servers
        finally:
            for server in servers:
                server.over.set()
            await asyncio.gather(*working)
