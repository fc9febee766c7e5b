"""Valkey as compose.yml starts it: its command, its configuration, its secrets, on a free port."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compose import ROOT, compose
from process import free_port

from idp.embedded.binaries import VALKEY, installed


@contextmanager
def valkey_of_compose(secrets: Path, folder: Path) -> Iterator[int]:
    """The port, until the end of the block. It may not answer yet. *folder* gets its data."""
    common = (ROOT / "deploy/compose/valkey/common.conf").read_text().replace("dir /data", f"dir {folder}")
    (folder / "common.conf").write_text(common)
    command = [
        part.replace("/run/secrets", str(secrets)).replace("/etc/valkey", str(folder))
        for part in compose()["services"]["valkey"]["command"]
    ]
    port = free_port()
    arguments = [*command[1:], "--port", str(port), "--bind", "127.0.0.1"]
    process = subprocess.Popen([str(installed(VALKEY)), *arguments], stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)
