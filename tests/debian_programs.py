"""Programs of Debian that tests start: the machine's own, or what `tests/debian/install.sh` unpacked into the checkout."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

UNPACKED = Path(__file__).parents[1] / ".venv/debian"
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])


def program(name: str) -> list[str] | None:
    """The beginning of the command that runs it, or None. An unpacked one brings the libraries that the machine lacks."""
    if found := shutil.which(name, path=PLACES):
        return [found]
    if not (unpacked := UNPACKED / "usr/sbin" / name).exists():
        return None
    folders = {str(library.parent) for library in UNPACKED.rglob("lib*.so*")}
    return ["/usr/bin/env", f"LD_LIBRARY_PATH={os.pathsep.join(sorted(folders))}", str(unpacked)]


def required(name: str) -> list[str]:
    """As `program`; without one the test is skipped, and says what to install."""
    found = program(name)
    if found is None:
        pytest.skip(f"no {name} here: sudo apt-get install {name}")
    return found
