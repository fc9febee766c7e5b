"""
The program as who types sees it: arguments in, exit status and two streams out.

`Started` runs `python -m idp`. `Forked` runs each command in a process of its own too, but as a fork of one that has
imported everything already: an import takes a second, and these tests run forty commands.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LIMIT = 180.0


@dataclass
class Answer:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass
class Started:
    """*settings* are IDP_…; nothing else of that kind is inherited."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, typed: str | bytes = "", **more: str) -> Answer:
        return self.run(arguments, typed if isinstance(typed, bytes) else typed.encode(), self.environment | more)

    def json(self, *arguments: str, **more: Any) -> Any:
        return self(*arguments, "--format", "json", **more).json

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "COV_", "PYTEST_"))
        }
        return inherited | {"USER": "operator", "IDP_BCRYPT_ROUNDS": "4"} | self.settings

    def run(self, arguments: tuple[str, ...], typed: bytes, environment: dict[str, str]) -> Answer:
        done = self.python("-m", "idp", *arguments, typed=typed, environment=environment)
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def python(
        self, *arguments: str, typed: bytes = b"", environment: dict[str, str] | None = None, limit: float = LIMIT
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment or self.environment,
            input=typed,
            capture_output=True,
            timeout=limit,
            check=False,
        )


@dataclass
class Beside:
    """A program beside a server of this process, which goes on meanwhile: a command may wait for a lock that the server has."""

    program: Started

    async def __call__(self, *arguments: str, typed: str | bytes = "") -> Answer:
        return await asyncio.to_thread(self.program, *arguments, typed=typed)

    async def json(self, *arguments: str, typed: str | bytes = "") -> Any:
        return (await self(*arguments, "--format", "json", typed=typed)).json


class Forks:
    """The process that has imported everything. One command at a time."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=LIMIT)

    def status_of(self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> int:
        """Standard input is the file `in` of *folder*; the streams become `out` and `err`."""
        asked = {"folder": str(folder), "arguments": arguments, "environment": environment}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass
class Forked(Started):
    forks: Forks = field(kw_only=True)

    def run(self, arguments: tuple[str, ...], typed: bytes, environment: dict[str, str]) -> Answer:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            (folder / "in").write_bytes(typed)
            status = self.forks.status_of(folder, arguments, environment)
            return Answer(status, (folder / "out").read_text(), (folder / "err").read_text())


def serve_forks() -> None:
    from importlib import import_module

    from idp.cli import GROUPS

    for name in ("idp.bootstrap", "rich.console", "rich.table", *(f"idp.cli.{group}" for group in GROUPS)):
        import_module(name)
    gc.freeze()  # or each child would copy what it only counts
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become(folder: str, arguments: list[str], environment: dict[str, str]) -> None:
    from idp.cli import main

    signal.alarm(int(LIMIT))
    os.chdir(folder)
    for number, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", CREATED), ("err", CREATED))):
        os.dup2(os.open(name, flags, 0o600), number)
    # What stands unread in the buffer of the old one is the next command, not this one's input.
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    main(arguments, prog_name="idp")


CREATED = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

if __name__ == "__main__":
    serve_forks()
