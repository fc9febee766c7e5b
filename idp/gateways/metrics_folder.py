"""
Where the workers of one server leave their metrics for each other: a folder that lives as long as the server.

It is made anew at each start, since counters begin at zero then, and held by a lock: what a killed server left behind is
held by nobody, and the next one removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from prometheus_client import values

log = structlog.get_logger("idp.metrics")

PREFIX = "idp-metrics-"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class MetricsFolder:
    """*path* None: there is no place for one, so each worker tells of itself alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def forget_dead(self) -> None:
        """What processes held that have ended is no longer so; what they counted still counts."""
        for file in self._path.glob("gauge_live*_*.db") if self._path else ():
            if not _runs(int(file.stem.rpartition("_")[2])):
                file.unlink(missing_ok=True)


@contextmanager
def metrics_folder(data: Path) -> Iterator[MetricsFolder]:
    """For processes that are started within the block: they inherit its name in the environment."""
    path = _made(data) or _made(Path(tempfile.gettempdir()))
    if path is None:
        log.warning("no_metrics_folder", data_dir=str(data))
        yield MetricsFolder(None)
        return
    lock = _locked(path)
    _held.add(lock)
    os.environ[FOLDER] = str(path)
    try:
        yield MetricsFolder(path)
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(path, ignore_errors=True)
        _held.discard(lock)
        os.close(lock)


def join_metrics() -> None:
    """
    By a process that counts, once it knows the folder: prometheus_client decides where its numbers are kept when it is
    imported, and a forked worker was imported before there was a folder.
    """
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def _made(place: Path) -> Path | None:
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned(place)
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    except OSError:
        return None


def _remove_abandoned(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _locked(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked(path: Path) -> int:
    """Of the folder itself. Raises `BlockingIOError` while another process has it; children do not inherit it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's: the number is in use
    return True


_held: set[int] = set()


def _drop_inherited_locks() -> None:
    # Held by the server: a worker that outlives it for a moment would keep the folder from being removed.
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_drop_inherited_locks)
