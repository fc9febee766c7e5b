"""
The folder of the embedded stores: who owns it, its secrets, and what the owner tells other processes.

    lock            held (flock) by the owning process for as long as it lives; its text is that process' id
    secrets.json    the passwords, made once, 0600
    state.json      what runs now and where its sockets are, 0600; only worth reading while its owner lives
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import time
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from idp.embedded.process import EmbeddedBusy, EmbeddedFailed, Identity

LOCK_PATIENCE = 0.3  # seconds: whoever only looks whether the lock is free holds it for an instant


@dataclass(frozen=True, slots=True)
class Secrets:
    superuser: str = field(repr=False)
    migrate: str = field(repr=False)
    runtime: str = field(repr=False)
    valkey: str = field(repr=False)

    @classmethod
    def random(cls) -> Secrets:
        return cls(*(secrets.token_urlsafe(32) for _ in range(4)))


@dataclass(frozen=True, slots=True)
class State:
    """*shelter* is the owner's temporary folder, if it needs one; *ready* when both stores answer."""

    owner: Identity
    shelter: Path | None
    processes: Mapping[str, Identity]
    ready: bool

    @classmethod
    def parsed(cls, text: str) -> State:
        found: dict[str, Any] = json.loads(text)
        return cls(
            owner=Identity(**found["owner"]),
            shelter=Path(found["shelter"]) if found["shelter"] else None,
            processes={name: Identity(**process) for name, process in found["processes"].items()},
            ready=found["ready"],
        )

    def text(self) -> str:
        return json.dumps(asdict(self), default=str)


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def create(self, mode: int) -> None:
        """A folder that exists keeps its mode: it may be anything the operator named."""
        if not self.path.exists():
            self.path.mkdir(parents=True)
            self.path.chmod(mode)
        if self.path.stat().st_mode & stat.S_IWOTH:
            raise EmbeddedFailed(f"Anybody can write to {self.path}: name a folder of its own for the embedded stores.")

    def claim(self) -> None:
        """Become the owner, until `release` or the end of this process. Raises `EmbeddedBusy`."""
        lock = self._open_lock(os.O_CREAT)
        if not _acquired(lock):
            owner = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise EmbeddedBusy(
                f"{self.path} is in use by process {owner}. Stop that server first, "
                "or give this one a folder of its own (IDP_DATA_DIR)."
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        _claimed.add(self)

    def release(self) -> None:
        """Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def owned_elsewhere(self) -> bool:
        try:
            lock = self._open_lock(0)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def _open_lock(self, flags: int) -> int:
        try:
            return os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        except PermissionError:
            raise EmbeddedFailed(f"{self.path} belongs to another user: run this as the user of the server.") from None

    def secrets(self) -> Secrets:
        """Made at the first call in a folder."""
        file = self.path / "secrets.json"
        if not file.exists():
            self._write(file, json.dumps(asdict(Secrets.random())))
        return Secrets(**json.loads(file.read_text()))

    def remember(self, state: State) -> None:
        self._write(self.path / "state.json", state.text())

    def recall(self) -> State | None:
        """What the last owner wrote, unless it stopped in order."""
        try:
            return State.parsed((self.path / "state.json").read_text())
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def forget(self) -> None:
        (self.path / "state.json").unlink(missing_ok=True)

    def _write(self, file: Path, text: str) -> None:
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:  # noqa: PTH123
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        if os.geteuid() == 0:  # root beside an ordinary user's server leaves that user its files
            owner = self.path.stat()
            os.chown(unfinished, owner.st_uid, owner.st_gid)
        unfinished.replace(file)


def _acquired(lock: int) -> bool:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


_claimed: weakref.WeakSet[Folder] = weakref.WeakSet()


def _drop_inherited_locks() -> None:
    # A worker made by fork would otherwise keep the folder locked after its parent was killed.
    for folder in _claimed:
        folder.release()


os.register_at_fork(after_in_child=_drop_inherited_locks)
