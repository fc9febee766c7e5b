"""
Stores as a first start leaves them: made and migrated once in each test process, copied for every server of a test.

To make and migrate them takes two seconds of CPU, which is most of what such a start costs. Tests of first starts ask for
none of it.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from idp.cli.preparation import migrate
from idp.embedded import EmbeddedStores

_made: list[Path] = []


def prepare(folder: Path) -> None:
    """*folder* is what `EmbeddedStores` will be given. One that has stores already stays as it is."""
    if (folder / "postgres").exists():
        return
    source = _template()
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copymode(source, folder)
    names = [str(source / name) for name in ("postgres", "valkey", "secrets.json")]
    subprocess.run(["cp", "-a", *names, str(folder)], check=True)


def forget() -> None:
    """At the end of the test process."""
    while _made:
        shutil.rmtree(_made.pop(), ignore_errors=True)


def _template() -> Path:
    if not _made:
        made = Path(tempfile.mkdtemp(prefix="idp-"))
        _made.append(made)
        with EmbeddedStores(made / "stores", durable=False) as stores, ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, migrate(stores.start())).result()  # this thread may have a loop
    return _made[0] / "stores"
