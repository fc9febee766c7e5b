"""
PostgreSQL as a child process, reached by its socket alone.

The server runs with its data folder as working directory and names it `/proc/self/cwd`: so an account that may not pass
through the folders above (root's home, a private temporary folder) can serve from it without a permission being changed.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idp.embedded.process import Account, Child, EmbeddedFailed, Identity, hand_over

PORT = 5432  # names the socket; nothing listens on the network
SUPERUSER = "postgres"
HERE = "/proc/self/cwd"
LINGERING = "pre-existing shared memory block"
LINGERING_LIMIT = 10.0  # seconds

ALWAYS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "cluster_name": "idp",
    "jit": "off",
}
DURABLE = {"max_connections": "100"}
# Loses nothing to the death of the process, everything to that of the machine. Commits stay synchronous, which costs
# nothing without fsync: otherwise the last ones would be in the server's memory only, and gone after a kill.
FORGETFUL = {
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "io_method": "sync",
}


class Postgres:
    """One cluster in *folder*/postgres. *sockets*, if given, holds its socket because the data folder's path is too long."""

    name = "postgres"

    def __init__(
        self, folder: Path, program: Path, *, durable: bool, account: Account | None, sockets: Path | None
    ) -> None:
        self._folder = folder
        self._data = folder / "postgres"
        self._program = program
        self._durable = durable
        self._account = account
        self._sockets = sockets
        self.child = Child("PostgreSQL", folder / "postgres.log", account)

    def initialise(self, password: str) -> None:
        """Makes the cluster if there is none. It appears complete or not at all; what a killed attempt left is removed."""
        if (self._data / "PG_VERSION").exists():
            hand_over(self._data, self._account)
            return
        for leftover in self._folder.glob(".postgres-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".postgres-", dir=self._folder))
        hand_over(unfinished, self._account)
        with _password_file(password, self._account) as password_file:
            self.child.spawn(
                self._initdb(password_file), cwd=unfinished, death_signal=signal.SIGKILL, pass_fds=(password_file,)
            )
            self.child.await_success()
        unfinished.rename(self._data)

    def _initdb(self, password_file: int) -> list[str]:
        command = [str(self._program.with_name("initdb")), "-D", HERE, "-U", SUPERUSER, "-A", "scram-sha-256"]
        command += [f"--pwfile=/proc/self/fd/{password_file}", "-E", "UTF8", "--locale-provider=builtin"]
        command += ["--locale=C.UTF-8", "--no-instructions"]
        return command if self._durable else [*command, "--no-sync"]

    def launch(self) -> None:
        """Starts the server; `await_ready` waits until it answers."""
        self._discard_stranger()
        settings = {**ALWAYS, **(DURABLE if self._durable else FORGETFUL)}
        settings["unix_socket_directories"] = str(self._sockets or ".")
        command = [str(self._program), "-D", HERE]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        # SIGINT is the fast shutdown: sessions end, a checkpoint is written.
        self.child.spawn(command, cwd=self._data, death_signal=signal.SIGINT)

    def await_ready(self) -> None:
        """Raises `EmbeddedFailed`. Sessions of a server that was killed may outlast it for a moment: then it starts again."""
        deadline = time.monotonic() + LINGERING_LIMIT
        while True:
            try:
                self.child.await_ready(self._ready)
            except EmbeddedFailed:
                if LINGERING not in self.child.said() or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                self.launch()
            else:
                return

    def _ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0].strip() == str(self.child.pid) and lines[7].strip() == "ready"

    def _discard_stranger(self) -> None:
        # In a container the number of a killed server soon belongs to another program, which PostgreSQL would take for it.
        lines = self._pid_file()
        if not lines or (process := Identity.of(int(lines[0]))) is None:
            return
        if Path(f"/proc/{process.pid}/comm").read_text().strip() != "postgres":
            (self._data / "postmaster.pid").unlink()

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def stop(self) -> None:
        self.child.stop((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))


@contextmanager
def _password_file(password: str, account: Account | None) -> Iterator[int]:
    """In memory only; the child reads it as /proc/self/fd/N."""
    file = os.memfd_create("password")
    try:
        os.fchmod(file, 0o600)
        if account is not None:
            os.fchown(file, account.uid, account.gid)
        os.write(file, password.encode())
        yield file
    finally:
        os.close(file)
