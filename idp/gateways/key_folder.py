"""
The folder of signing keys: reads every key file or refuses, writes one at a time.

A file appears whole or not at all (temporary file, fsync, rename), and writers of all processes take turns at `.lock`.
Names that begin with a dot and names without a key file's suffix are not looked at.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from idp.domain.errors import InvalidKeyFile
from idp.gateways.key_file_format import PUBLIC, SUFFIXES, StoredKey, read_key, written

# Name → what changes with the file: identity, mode, owner, size, times. Empty for one that cannot be looked at.
Listing = Mapping[str, tuple[int, ...]]

_LARGEST = 65_536
_TEMPORARY = ".tmp"
_ATTEMPTS = 5


class KeyFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._parsed: dict[str, tuple[tuple[int, ...], StoredKey]] = {}

    def prepare(self) -> None:
        """Creates the folder for its owner alone; one that exists stays as it is."""
        with self._faults_named("cannot be created"):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def listing(self) -> Listing:
        with self._faults_named("cannot be listed"), os.scandir(self.path) as entries:
            return {entry.name: _fingerprint(entry) for entry in entries if _is_key_file(entry.name)}

    def read(self) -> dict[str, StoredKey]:
        """By `kid`. Raises `InvalidKeyFile` for the first file that must not be used."""
        for _ in range(_ATTEMPTS):
            try:
                return self._read(self.listing())
            # Another process has replaced a PEM file by its JSON file since the listing.
            except FileNotFoundError:
                continue
        raise InvalidKeyFile(f"{self.path}: its files change faster than they can be read. Let the copying end first.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Excludes every other writer, in this process and in others. What a killed one left half-written is removed."""
        with self._faults_named("cannot be written"):
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for leftover in self.path.glob(f".*{_TEMPORARY}"):
                leftover.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def save(self, key: StoredKey) -> None:
        """Writes its own file, then removes the one that the key came from. To be called within `locked`."""
        own = self.path / f"{key.record.kid}{'.json' if key.private is not None else PUBLIC}"
        with self._faults_named("cannot be written"):
            self._write(own, written(key))
            if key.path != own:
                key.path.unlink(missing_ok=True)

    def remove(self, key: StoredKey) -> None:
        with self._faults_named("cannot be written"):
            key.path.unlink(missing_ok=True)

    def _read(self, listing: Listing) -> dict[str, StoredKey]:
        owners = {0, os.geteuid(), self.path.stat().st_uid}
        parsed = {name: (fingerprint, self._key(name, fingerprint, owners)) for name, fingerprint in listing.items()}
        self._parsed = parsed
        keys: dict[str, StoredKey] = {}
        for _, key in parsed.values():
            kid = key.record.kid
            keys[kid] = _the_one(keys[kid], key) if kid in keys else key
        return keys

    def _key(self, name: str, fingerprint: tuple[int, ...], owners: set[int]) -> StoredKey:
        known = self._parsed.get(name)
        if known is not None and fingerprint and known[0] == fingerprint:
            return known[1]
        path = self.path / name
        content, modified_at = _content(path, owners)
        return read_key(path, content, modified_at)

    def _write(self, target: Path, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=_TEMPORARY, dir=self.path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _faults_named(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            remedy = "Give it to the user that runs the server, or set IDP_KEYS_DIR."
            raise InvalidKeyFile(f"{self.path}: {what} ({fault.strerror}). {remedy}") from fault


def _is_key_file(name: str) -> bool:
    return not name.startswith(".") and name.endswith(SUFFIXES)


def _fingerprint(entry: os.DirEntry[str]) -> tuple[int, ...]:
    try:
        seen = entry.stat()
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_mode, seen.st_uid, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _content(path: Path, owners: set[int]) -> tuple[bytes, datetime]:
    try:
        # Without O_NONBLOCK a named pipe would hold the start of the server for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        if isinstance(fault, FileNotFoundError) and not path.is_symlink():
            raise
        remedy = "Make it readable to the user that runs the server, or remove it."
        raise InvalidKeyFile(f"{path}: cannot be read ({fault.strerror}). {remedy}") from fault
    try:
        seen = os.fstat(descriptor)
        _refuse_unsafe(path, seen, owners)
        return os.read(descriptor, _LARGEST), datetime.fromtimestamp(seen.st_mtime, UTC)
    finally:
        os.close(descriptor)


def _refuse_unsafe(path: Path, seen: os.stat_result, owners: set[int]) -> None:
    mode = stat.S_IMODE(seen.st_mode)
    if not stat.S_ISREG(seen.st_mode):
        raise InvalidKeyFile(f"{path}: is not a regular file. Remove it.")
    # Root's file may be open to a group, as PostgreSQL allows too: so orchestrators hand secrets to a user that is not root.
    if mode & (0o037 if seen.st_uid == 0 and os.geteuid() != 0 else 0o077):
        raise InvalidKeyFile(f"{path}: is open to other users (mode {mode:04o}). Run: chmod 600 {path}")
    # Whoever may write to the folder could otherwise put a key of their own there, and have it sign.
    if seen.st_uid not in owners:
        raise InvalidKeyFile(f"{path}: belongs to another user ({seen.st_uid}). Run: chown {os.geteuid()} {path}")
    if seen.st_size > _LARGEST:
        raise InvalidKeyFile(f"{path}: is too large for a key ({seen.st_size} bytes). Remove it.")


def _the_one(first: StoredKey, second: StoredKey) -> StoredKey:
    """
    Of two files with one key: the public half, for a private one that returns is not to sign again; else the server's own,
    when the other is the operator's file that it was made from.
    """
    if first.private is None or second.private is None:
        return _withdrawn_as(*((first, second) if first.private is None else (second, first)))
    own = [key for key in (first, second) if key.recorded and key.path.stem == key.record.kid]
    if len(own) == 1 and first.recorded != second.recorded:
        return own[0]
    raise InvalidKeyFile(f"{second.path}: holds the same key as {first.path.name}. Remove one of them.")


def _withdrawn_as(half: StoredKey, whole: StoredKey) -> StoredKey:
    """A copy that another node has withdrawn counts for each."""
    withdrawn = [at for at in (half.record.withdrawn_at, whole.record.withdrawn_at) if at is not None]
    return replace(half, record=replace(half.record, withdrawn_at=min(withdrawn, default=None)))
