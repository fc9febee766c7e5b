"""Streaming standbys of an embedded Postgres, from the same programs: copied, started, paused, killed, promoted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg
from sites import descendants

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores
from idp.embedded.binaries import POSTGRES, runnable
from idp.embedded.postgres import Postgres
from idp.embedded.process import Account, Child, hand_over

PROMOTION_LIMIT = 30  # seconds


class Standby:
    """
    A copy of what *primary* (a superuser's URL of one host or several) holds, that follows whichever of its hosts writes.

    Everything lies in *folder*, which everybody may pass through when this process is root: the servers are "nobody" then.
    """

    def __init__(self, folder: Path, primary: str, name: str) -> None:
        self._folder = folder / name
        self._primary = primary
        self.name = name
        self._account = Account.named("nobody") if os.geteuid() == 0 else None
        self._program = runnable(POSTGRES, self._account, [lambda: folder])
        self._data = self._folder / "postgres"
        self._server = Postgres(self._folder, self._program, durable=True, account=self._account, sockets=None)

    @property
    def sockets(self) -> Path:
        return self._data

    def copy(self) -> Standby:
        self._data.mkdir(parents=True, mode=0o700)
        self._folder.chmod(0o711)
        known = credentials(self._primary)
        password = self._folder / "password"
        password.touch(0o600)
        password.write_text(f"*:*:*:*:{known['password']}\n")
        for path in (self._data, password):
            hand_over(path, self._account)
        host = known["host"][0] if isinstance(known["host"], list) else known["host"]
        copying = Child("pg_basebackup", self._folder / "copy.log", self._account)
        copying.spawn(
            [
                *(str(self._program.with_name("pg_basebackup")), "-D", "/proc/self/cwd", "-X", "stream", "--no-sync"),
                *("-c", "fast", "-d", f"host={host} user={known['user']} passfile={password}"),
            ],
            cwd=self._data,
            death_signal=signal.SIGKILL,
        )
        copying.await_success()
        for lock in self._data.glob(".s.PGSQL.*"):  # the primary's, whose socket lies among its data
            lock.unlink()
        self._follow(known)
        return self

    def _follow(self, known: dict[str, object]) -> None:
        hosts = known["host"] if isinstance(known["host"], list) else [known["host"]]
        wanted = f"host={','.join(map(str, hosts))} user={known['user']} application_name={self.name}"
        wanted += f" passfile={self._folder / 'password'} target_session_attrs=read-write"
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{wanted}'\nwal_retrieve_retry_interval = '200ms'\n")
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        if self._account is not None:
            os.chown(signal_file, self._account.uid, self._account.gid)

    def start(self) -> Standby:
        self._server.launch()
        self._server.await_ready()
        return self

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It takes connections and requests, and answers nothing."""
        stopped = [self._pid, *descendants(self._pid)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        pid = self._server.child.pid
        assert pid is not None
        return pid

    def url(self, primary: str) -> str:
        """As *primary*, a URL of the primary with any role, with this server for a host."""
        return at_hosts(primary, self.sockets)

    async def superuser(self) -> asyncpg.Connection:
        return await asyncpg.connect(**credentials(self.url(self._primary)))

    async def run(self, statement: str) -> object:
        connection = await self.superuser()
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def promote(self) -> None:
        assert await self.run(f"SELECT pg_promote(true, {PROMOTION_LIMIT})")


def at_hosts(url: str, *folders: Path) -> str:
    """*url* with these sockets instead of its own; of several the one that takes writes is meant."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query.pop("target_session_attrs", None)
    query |= {"host": ",".join(map(str, folders)), "port": ",".join(["5432"] * len(folders))}
    if len(folders) > 1:
        query["target_session_attrs"] = "read-write"
    return urlunsplit(parts._replace(query=urlencode(query)))


def primary_sockets(stores: EmbeddedStores) -> Path:
    return Path(credentials(stores.superuser_url())["host"])
