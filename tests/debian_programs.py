"""Programs of Debian that tests start: the machine's own, or what `tests/debian/install.sh` unpacked into the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from idp.embedded.binaries import passable

UNPACKED = Path(__file__).parents[1] / ".venv/debian"
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])


def program(name: str, *, unpacked: Path = UNPACKED) -> list[str] | None:
    """The beginning of the command that runs it, or None. An unpacked one brings the libraries that the machine lacks."""
    if found := shutil.which(name, path=PLACES):
        return [found]
    for path in (unpacked / "usr/sbin" / name, unpacked / "usr/bin" / name):
        if path.exists():
            return ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries(unpacked)}", str(path)]
    return None


def required(name: str) -> list[str]:
    """As `program`; without one the test is skipped, and says what to install."""
    found = program(name)
    if found is None:
        pytest.skip(f"no {name} here: sudo apt-get install {name}")
    return found


def within_reach(name: str, place: Path) -> list[str]:
    """
    As `required`, for another account than ours: where that cannot enter the checkout, say below root's home, the
    unpacked programs are copied to *place*, which it can.
    """
    found = required(name)
    if len(found) == 1 or passable(UNPACKED):
        return found
    shutil.copytree(UNPACKED, place, symlinks=True)
    return program(name, unpacked=place) or found


def libraries(unpacked: Path = UNPACKED) -> str:
    """The folders of the unpacked libraries, as LD_LIBRARY_PATH has them; empty if none was unpacked."""
    folders = {str(library.parent) for library in unpacked.rglob("lib*.so*")}
    return os.pathsep.join(sorted(folders))


def fault_of(command: list[str], environment: dict[str, str] | None = None) -> str | None:
    """Why *command* cannot run here, in the words of the linker or the program; None if it ends with status 0."""
    try:
        tried = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    except OSError as fault:
        return str(fault)
    return None if tried.returncode == 0 else (tried.stderr or tried.stdout).strip()[-500:] or "no reason given"
