"""Somebody who calls a server that limits and locks: from an address of their own, or from many."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import httpx
from process import ServerProcess
from world import PASSWORD, Registered, World

from idp.domain.sign_in.lockout import Counter
from idp.gateways import secret_keys
from idp.repositories.sign_in.sign_in_failures import name_of

WRONG = "Wrong-Password-1"


ADDRESSES = IPv4Network("198.18.128.0/17").hosts()


def new_address() -> str:
    """Of a network for documentation and tests (RFC 2544), so that every test has limits of its own."""
    return str(next(ADDRESSES))


def refused(answer: httpx.Response, error: str = "rate_limited") -> bool:
    """LK11: in the form that every 429 has."""
    if answer.status_code != 429:
        return False
    assert answer.json()["error"] == error
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    return True


class Caller:
    """*world* makes accounts and sees the stores; it is not limited. *node* is the server."""

    def __init__(self, http: httpx.AsyncClient, world: World, node: ServerProcess) -> None:
        self.http = http
        self.world = world
        self.node = node
        self.address = new_address()

    def moves(self) -> None:
        """From now on the calls come from another address."""
        self.address = new_address()

    async def post(self, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        known = {"X-Forwarded-For": self.address, **(headers or {})}
        return await self.http.post(path, json=body, headers=known)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers={"X-Forwarded-For": self.address, **headers})

    async def login(
        self, email: str, password: str = WRONG, *, anywhere: bool = False, **headers: str
    ) -> httpx.Response:
        """*anywhere*: from an address that nobody has called from."""
        origin = {"X-Forwarded-For": new_address()} if anywhere else {}
        return await self.post("/auth/login", headers={**origin, **headers}, email=email, password=password)

    async def token(self, client: Registered, *, secret: str | None = None, **fields: str) -> httpx.Response:
        auth = httpx.BasicAuth(client.client_id, secret or client.secret or "")
        return await self.http.post("/oauth2/token", data=fields, auth=auth, headers={"X-Forwarded-For": self.address})

    async def grant(self, client: Registered, email: str, password: str = WRONG, **more: str) -> httpx.Response:
        return await self.token(client, grant_type="password", username=email, password=password, **more)

    # Lockout.

    def key(self, email: str) -> str:
        derived = secret_keys.derived(self.world.settings.secrets, secret_keys.IDENTIFIERS)
        return name_of(Counter(email), derived[0])

    async def time_passes(self, email: str, span: timedelta) -> None:
        """For the failures of one address, and of its devices."""
        await self.world.database.execute(
            """
            UPDATE sign_in_failures SET failed_at = failed_at - $2::interval, blocked_until = blocked_until - $2,
                pending_at = pending_at - $2, touched_at = touched_at - $2
            WHERE key = $1 OR user_id = (SELECT id FROM users WHERE email_norm = $3)
            """,
            self.key(email),
            span,
            email,
        )

    async def fails(self, email: str, times: int) -> httpx.Response:
        """Each wrong password from a new address and as soon as it is looked at; gives the last answer."""
        for _ in range(times):
            answer = await self.login(email, anywhere=True)
            assert answer.status_code == 401, answer.text
            await self.time_passes(email, timedelta(seconds=8))
        return answer

    async def locks(self, email: str) -> None:
        await self.fails(email, 5)

    async def evaluated(self, email: str) -> int:
        """How many wrong passwords for that address were looked at."""
        return int(
            await self.world.database.fetchval(
                "SELECT count(*) FROM audit.events WHERE name = 'sign_in_failed' AND detail->>'identifier' = $1",
                self.key(email)[:16],
            )
        )

    async def unlocks(self, email: str) -> None:
        """On the command line of the server."""
        command = (sys.executable, "-m", "idp", "users", "unlock", email)
        process = await asyncio.create_subprocess_exec(*command, env=self.node.environment, cwd=self.node.folder)
        assert await process.wait() == 0

    async def succeeds(self, email: str) -> bool:
        return (await self.login(email, PASSWORD, anywhere=True)).status_code == 200


def wait(answer: httpx.Response) -> int:
    """Seconds, of a refusal to look at a password."""
    assert answer.status_code == 429, answer.text
    assert answer.json()["error"] == "too_many_attempts"
    return int(answer.headers["retry-after"])


async def blocked(caller: Caller, email: str) -> int:
    """For how many seconds; 0 while it is not."""
    answer = await caller.login(email, PASSWORD, anywhere=True)
    return 0 if answer.status_code in (200, 401) else wait(answer)
