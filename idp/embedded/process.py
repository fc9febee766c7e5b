"""
A server process that cannot outlive this one, and what identifies a process.

    EmbeddedBusy      another process owns the folder
    EmbeddedFailed    a store did not start, or cannot on this machine; the text says why and what to do
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

PR_SET_PDEATHSIG = 1
START_LIMIT = 120.0  # seconds: crash recovery and loading take what they take, a server that fails ends by itself
LOG_LIMIT = 5 * 1024 * 1024  # bytes, looked at when a server starts
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_libc = ctypes.CDLL(None)


class EmbeddedBusy(Exception):
    """Another process owns the folder. The text names the folder, the process and the remedy."""


class EmbeddedFailed(Exception):
    """A store did not start. The text names the log and gives its last lines, or says what this machine lacks."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the stores run as when this process is root: PostgreSQL refuses to be root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> Account:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise EmbeddedFailed(f"There is no user {name!r} to run the embedded stores as.") from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @classmethod
    def owning(cls, path: Path) -> Account | None:
        """Who owns *path*, if it exists and its owner is not root."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return cls(f"{found.st_uid}", found.st_uid, found.st_gid) if found.st_uid != 0 else None


def drop_to(account: Account | None) -> dict[str, Any]:
    """What `subprocess` needs to run a child as *account* and with none of our groups."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def hand_over(folder: Path, account: Account | None) -> None:
    """Gives a folder and all in it to *account*. The folder itself comes last, so that an interrupted walk is repeated."""
    if account is None or folder.stat().st_uid == account.uid:
        return
    for path in (*folder.rglob("*"), folder):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """A process id alone may belong to another process tomorrow; with the start (clock ticks since boot) it is one process."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """None when no such process runs; one that has ended and waits to be reaped does not run."""
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        state, *fields = status.rpartition(")")[2].split()  # the name before the parenthesis may hold anything
        # A process whose first thread has ended still writes with the others.
        ended = state in "ZX" and int(fields[16]) <= 1
        return None if ended else cls(pid, int(fields[18]))

    def alive(self) -> bool:
        return Identity.of(self.pid) == self


def await_end(identity: Identity, limit: float) -> None:
    """Waits for a server whose owner has died and which is about to follow. Raises `EmbeddedFailed` after *limit* seconds."""
    deadline = time.monotonic() + limit
    while identity.alive():
        if time.monotonic() > deadline:
            raise EmbeddedFailed(
                f"Process {identity.pid}, left by a server that was killed, does not end. End it, then start again."
            )
        time.sleep(0.01)


class Child:
    """One server process, started from the main thread, and its log."""

    def __init__(self, title: str, log: Path, account: Account | None) -> None:
        self.title = title
        self._log = log
        self._log_offset = 0
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def died(self) -> bool:
        """It was started, was not stopped by us, and yet has ended."""
        return self._process is not None and self._process.poll() is not None

    def spawn(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        death_signal: signal.Signals,
        stdin: bytes = b"",
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Starts *command*, which gets *death_signal* from the kernel when this process ends in whatever way."""
        # The kernel watches the thread that forks, not the process.
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "Embedded stores are started from the main thread: they end with the thread that started them."
            )
        with self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: S603  the command is ours
                command,
                cwd=cwd,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                umask=0o077,
                pass_fds=pass_fds,
                process_group=0,  # Ctrl-C reaches this process only, which then stops the stores in order
                preexec_fn=_tied_to_parent(os.getpid(), death_signal),  # noqa: PLW1509  nothing else sets it after setuid
                **drop_to(self._account),
            )
        _feed(self._process, stdin)

    def _open_log(self) -> BinaryIO:
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_LIMIT:
                self._log.replace(self._log.with_suffix(".log.1"))
        log = os.fdopen(os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab")
        self._log_offset = log.tell()
        return log

    def said(self) -> str:
        """What the log got since the last start: its end, up to 4 KiB."""
        with self._log.open("rb") as log:
            log.seek(max(self._log_offset, log.seek(0, os.SEEK_END) - 4096))
            return log.read().decode(errors="replace")

    def failed(self, why: str) -> EmbeddedFailed:
        last_lines = "\n".join(f"    {line}" for line in self.said().splitlines()[-15:])
        return EmbeddedFailed(f"{self.title} {why}. Its log is {self._log}:\n{last_lines}")

    def await_ready(self, ready: Callable[[], bool]) -> None:
        """Raises `EmbeddedFailed` when the process ends first, or takes longer than `START_LIMIT`."""
        deadline = time.monotonic() + START_LIMIT
        while not ready():
            if self.died:
                raise self.failed(f"did not start ({self._ending()})")
            if time.monotonic() > deadline:
                raise self.failed(f"did not start within {START_LIMIT:.0f} s")
            time.sleep(0.005)

    def await_success(self) -> None:
        """For a program that does its work and ends. Raises `EmbeddedFailed` when it says that it failed."""
        if self._process is not None and self._process.wait() != 0:
            raise self.failed(f"failed ({self._ending()})")
        self._process = None

    def _ending(self) -> str:
        code = self._process.returncode if self._process is not None else 0
        return f"exit status {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"

    def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Sends each signal in turn and waits that many seconds for the end; at last SIGKILL. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        for number, patience in steps:
            if process.poll() is None:
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
        if process.poll() is None:
            process.kill()
            process.wait()


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    # A child that ended at once is found by whoever waits for it to be ready, with its log.
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(stdin)


def _tied_to_parent(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    def tie() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie
