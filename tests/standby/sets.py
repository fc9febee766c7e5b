"""A primary, its standbys, Valkey and one server over them."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from begun import Begun
from prepared_stores import prepare
from process import UNLIMITED, ServerProcess
from sites import SECRET
from standbys import Standby, at_hosts, primary_sockets

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores, StoreUrls

ADMIN = {"email": "admin@example.com", "password": "Correct-Horse-7"}
LIMIT = 30.0


class ReplicatedSite(Begun):
    """
    `idp serve` on a primary with *standbys*, all of which a test may break. `tests/faults/clients.py` calls it as a `Site`.

    *reads*: the standbys are its replicas. *fails_over*: its URL names all of them, so that it finds the one that writes.
    *synchronous*: a commit is acknowledged when one of the standbys has it too.
    """

    def __init__(
        self,
        standbys: int,
        *,
        reads: bool = False,
        fails_over: bool = False,
        synchronous: bool = False,
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="idp-"))
        if os.geteuid() == 0:
            self.folder.chmod(0o711)
        self._count = standbys
        self._reads, self._fails_over, self._synchronous = reads, fails_over, synchronous
        self._settings = {
            "IDP_SECRET": SECRET,
            "IDP_ADMIN_EMAIL": ADMIN["email"],
            "IDP_ADMIN_PASSWORD": ADMIN["password"],
            **UNLIMITED,
            **settings,
        }
        self.standbys: list[Standby] = []
        self._writer: Standby | None = None  # None: the first primary
        self._dead: set[Standby] = set()
        self.server: ServerProcess | None = None

    def _begin(self, ends: ExitStack) -> None:
        ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        prepare(self.folder / "stores")
        self.stores = EmbeddedStores(self.folder / "stores")
        self.urls: StoreUrls = self.stores.start()
        ends.callback(self.stores.stop)
        # No server here dies with its machine: what they handed to the system outlives them.
        self._alter_primary(fsync="off")
        if self._synchronous:
            names = ", ".join(f"standby{number}" for number in range(self._count))
            self._alter_primary(synchronous_standby_names=f"ANY 1 ({names})")
        sockets = primary_sockets(self.stores)
        folders = [sockets, *(self.folder / f"standby{number}" / "postgres" for number in range(self._count))]
        everywhere = at_hosts(self.stores.superuser_url(), *folders) if self._count else self.stores.superuser_url()
        for number in range(self._count):
            standby = Standby(self.folder, everywhere, f"standby{number}")
            self.standbys.append(standby)
            ends.callback(standby.stop)
            standby.copy().start()
        if self._synchronous:
            self._alter_primary(
                synchronous_standby_names=f"ANY 1 ({', '.join(standby.name for standby in self.standbys)})"
            )
        settings = self._settings | {
            "IDP_DATABASE_URL": at_hosts(self.urls.database, *folders) if self._fails_over else self.urls.database,
            "IDP_MIGRATION_DATABASE_URL": self.urls.migration,
            "IDP_REDIS_URL": self.urls.redis,
        }
        if self._reads:
            replicas = [standby.url(self.urls.database) for standby in self.standbys]
            settings["IDP_DATABASE_REPLICA_URLS"] = ",".join(replicas)
        self.server = ends.enter_context(ServerProcess(self.folder, **settings))

    def _alter_primary(self, **settings: str) -> None:
        """From now on, and in copies that are made of it later."""

        async def alter() -> None:
            connection = await asyncpg.connect(**credentials(self.stores.superuser_url()))
            for name, value in settings.items():
                await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()

        with ThreadPoolExecutor(1) as thread:  # this thread may have a loop already
            thread.submit(asyncio.run, alter()).result()

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    def kill_writer(self) -> None:
        """At once, as if its machine had died. It never comes back."""
        if self._writer is None:
            assert self.stores.postgres_pid is not None
            os.kill(self.stores.postgres_pid, signal.SIGKILL)
        else:
            self._writer.kill()
            self._dead.add(self._writer)

    async def promote(self) -> Standby:
        """Of the standbys the one that has received most, so nothing that was acknowledged is missing."""
        followers = [standby for standby in self.standbys if standby not in self._dead | {self._writer}]
        received = [await standby.run("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn") for standby in followers]
        self._writer = followers[received.index(max(received))]  # type: ignore[type-var]
        await self._writer.promote()
        return self._writer


class Administrator:
    """Signed in over HTTP."""

    def __init__(self, http: httpx.AsyncClient, access_token: str) -> None:
        self.http = http
        self._headers = {"Authorization": f"Bearer {access_token}"}

    @classmethod
    async def signed_in(cls, http: httpx.AsyncClient) -> Administrator:
        return cls(http, await access_token(http, **ADMIN))

    @classmethod
    async def made(cls, site: ReplicatedSite, http: httpx.AsyncClient) -> Administrator:
        """Another one, who has changed nothing yet."""
        person = await registered(http)
        connection = await asyncpg.connect(**credentials(site.urls.migration))
        await connection.execute("UPDATE users SET roles = '{USER,ADMIN}' WHERE email = $1", person["email"])
        await connection.close()
        return cls(http, await access_token(http, **person))

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.http.get(path, params=query, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, **body: Any) -> None:
        answer = await self.http.put(path, json=body, headers=self._headers)
        assert answer.status_code == 200, answer.text

    async def names(self, search: str) -> list[str]:
        return [user["name"] for user in (await self.get("/admin/users", search=search))["users"]]


async def access_token(http: httpx.AsyncClient, email: str, password: str, **_: str) -> str:
    answer = await http.post("/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


async def registered(http: httpx.AsyncClient) -> dict[str, str]:
    person = {"email": f"user-{secrets.token_hex(6)}@example.com", "password": ADMIN["password"], "name": "Ada"}
    answer = await http.post("/auth/register", json=person)
    assert answer.status_code == 201, answer.text
    return person


async def until(holds: Callable[[], Any], limit: float = LIMIT) -> float:
    """Waits until *holds*, an async function, says so; the seconds that it took."""
    started = time.monotonic()
    async with asyncio.timeout(limit):
        while not await holds():
            await asyncio.sleep(0.02)
    return time.monotonic() - started
