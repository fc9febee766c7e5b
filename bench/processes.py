"""Servers as child processes: pinned to a core, with the CPU time and memory of their trees as Linux counts them."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT = 60.0
STOP_LIMIT = 20.0

_libc = ctypes.CDLL(None)


class NotStarted(Exception):
    """A server does not answer. The text has the end of what it said."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where things run: one core for the server under load, the others (on a machine with one, the same) for the rest."""

    server: frozenset[int]
    rest: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others or {first}))

    @property
    def shared(self) -> bool:
        return self.server == self.rest


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """This thread, and what it starts meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """
    A child in a process group of its own, ended at the end of the block, or with this process however that ends.

    Its output goes to *folder*/NAME.out and NAME.err. *environment* is all that it gets, beside PATH and HOME.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, cwd: Path, environment: Mapping[str, str]
    ) -> None:
        self._output, self._errors = folder / f"{name}.out", folder / f"{name}.err"
        inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                process_group=0,
                preexec_fn=_end_with_parent(os.getpid()),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def await_answer(self, url: str) -> None:
        """Raises `NotStarted`."""
        deadline = time.monotonic() + START_LIMIT
        with httpx.Client(trust_env=False, timeout=5) as http:
            while time.monotonic() < deadline and self._process.poll() is None:
                with suppress(httpx.TransportError):
                    if http.get(url).status_code == 200:
                        return
                time.sleep(0.05)
        raise NotStarted(f"{self._output.stem} does not answer at {url}:\n{self._said()}")

    def _said(self) -> str:
        # Of standard output only the log: a welcome beside it may show a password.
        log = [line for line in self._output.read_text(errors="replace").splitlines() if line.startswith("{")]
        return "\n".join([*log[-10:], *self._errors.read_text(errors="replace").splitlines()[-20:]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_with_parent(parent: int) -> Callable[[], None]:
    def tie() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def cpu_ms(pids: Iterable[int]) -> float:
    """User and system time of these processes, of all that descend from them, and of children that have ended."""
    ticks = 0
    for pid in _tree(pids):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks * 1000 / TICKS


def largest_rss(pid: int) -> int:
    """Resident bytes of the largest process below *pid* or itself: the one that serves, beside a parent that watches."""
    return max(_rss(process) for process in _tree([pid]))


def _rss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _tree(pids: Iterable[int]) -> list[int]:
    found = list(pids)
    for pid in found:  # grows as it goes
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found
