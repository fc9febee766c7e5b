"""What this machine has for the server: cores, memory, disk, open files."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from idp.cli.environment import embeds
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict
from idp.settings import Settings

MIB = 2**20
PROCESS = 120 * MIB  # docs/sizing.md: resident memory of one process under load
LEAST_FREE = 512 * MIB
FEWEST_FILES = 4096


def judged(settings: Settings) -> Iterator[Check]:
    yield workers(settings.workers, len(os.sched_getaffinity(0)))
    yield memory(settings.workers, _available())
    yield _disk(settings)
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def workers(configured: int, cores: int) -> Check:
    finding = f"{configured} worker{'s'[: configured > 1]} on {cores} core{'s'[: cores > 1]}."
    if configured > cores:
        remedy = "Set IDP_WORKERS to the cores: more only take turns, and each has connections of its own."
        return Check(Item.WORKERS, Verdict.WARNING, finding, remedy)
    return Check(Item.WORKERS, Verdict.OK, finding)


def memory(workers: int, available: int | None) -> Check:
    if available is None:
        return Check(Item.MEMORY, Verdict.OK, "This system does not tell its free memory.")
    wanted = PROCESS * (workers + (workers > 1))  # several workers have a process that watches over them
    finding = f"{available // MIB:,} MiB are free here, {wanted // MIB:,} MiB are wanted."
    if available < wanted:
        return Check(Item.MEMORY, Verdict.WARNING, finding, "Lower IDP_WORKERS, or give it more: docs/sizing.md.")
    return Check(Item.MEMORY, Verdict.OK, finding)


def open_files(limit: int) -> Check:
    """The hard limit, up to which `idp serve` raises its own; that of who asks, the server may have been given another."""
    if limit == resource.RLIM_INFINITY or limit >= FEWEST_FILES:
        return Check(Item.OPEN_FILES, Verdict.OK, "There is room for thousands of connections.")
    finding = f"A process started from here may open {limit:,} files: each connection is one."
    remedy = f"Set LimitNOFILE={FEWEST_FILES * 16} in the unit, or ulimit -n, if that holds for the server too."
    return Check(Item.OPEN_FILES, Verdict.NOTE, finding, remedy)


def _available() -> int | None:
    """MemAvailable of /proc/meminfo, in bytes."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _disk(settings: Settings) -> Check:
    folders = [settings.keys_dir, *([settings.data_dir] if embeds(settings) else [])]
    free = min(shutil.disk_usage(_existing(folder)).free for folder in folders)
    finding = f"{free // MIB:,} MiB are free for keys{' and embedded stores' if embeds(settings) else ''}."
    if free < LEAST_FREE:
        return Check(Item.DISK, Verdict.WARNING, finding, "Make room: a full disk keeps keys from rotating.")
    return Check(Item.DISK, Verdict.OK, finding)


def _existing(folder: Path) -> Path:
    whole = folder.absolute()
    return next(path for path in (whole, *whole.parents) if path.exists())
