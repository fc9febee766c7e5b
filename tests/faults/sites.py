"""A server and its stores, each of which a test may kill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import prepared_stores
from begun import Begun
from process import UNLIMITED, ServerProcess

from idp.domain.tokens.refresh_tokens import RefreshToken, RefreshTokenFormat
from idp.embedded import EmbeddedStores
from idp.gateways import secret_keys

SECRET = "a secret for faults that is long enough"
FORMAT = RefreshTokenFormat(secret_keys.derived((SECRET.encode(),), secret_keys.REFRESH_TOKENS))
WORKER = re.compile(rb"\0serve\0|spawn_main|nursery")
# What reading about a process raises that has ended, also in the middle of it.
GONE = (FileNotFoundError, ProcessLookupError)


def generation(token: str) -> RefreshToken:
    read = FORMAT.read(token)
    assert read is not None, token
    return read


class Nursery(ServerProcess):
    """Workers that are replaced at once when they are killed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self._command = [sys.executable, str(Path(__file__).with_name("nursery.py"))]


class Site(Begun):
    """`idp serve`, or another *process*, on stores that this one owns and breaks; with *embedded* on stores of its own."""

    def __init__(
        self, process: type[ServerProcess] = ServerProcess, *, embedded: bool = False, **settings: str
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="idp-"))
        self._process = process
        self._embedded = embedded
        self._settings = {"IDP_SECRET": SECRET, **UNLIMITED, **settings}

    def _begin(self, ends: ExitStack) -> None:
        ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        settings = self._settings
        if not self._embedded:
            prepared_stores.prepare(self.folder / "stores")
            self.stores = EmbeddedStores(self.folder / "stores")
            self.urls = urls = self.stores.start()
            ends.callback(self.stores.stop)
            settings = settings | {
                "IDP_DATABASE_URL": urls.database,
                "IDP_MIGRATION_DATABASE_URL": urls.migration,
                "IDP_REDIS_URL": urls.redis,
            }
        self.server = ends.enter_context(self._process(self.folder, **settings))

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    # The stores.

    def kill(self, store: str) -> None:
        """At once, as if its machine had died; `revive` starts it again."""
        os.kill(self._store_pid(store), signal.SIGKILL)

    def revive(self) -> None:
        while not self.stores.restart_dead():
            pass

    @contextmanager
    def hung(self, store: str) -> Iterator[None]:
        """It and its sessions take connections and requests, and answer nothing."""
        pid = self._store_pid(store)
        stopped = [pid, *descendants(pid)]
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in stopped:
                os.kill(each, signal.SIGCONT)

    def _store_pid(self, store: str) -> int:
        pid = self.stores.valkey_pid if store == "valkey" else self.stores.postgres_pid
        assert pid is not None
        return pid

    @property
    def append_only_files(self) -> Path:
        return self.folder / "stores" / "valkey" / "appendonlydir"

    # The processes of the server.

    def workers(self) -> list[int]:
        """Those that serve or are about to."""
        return [pid for pid in children(self.pid) if WORKER.search(command_line(pid))]


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except GONE:
        return []


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except GONE:
        return b""


def alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except GONE:
        return False


def resident(pid: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
