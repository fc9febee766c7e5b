"""The users that run the stores: root becomes another one, and what others may not reach stays so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from store_owners import OWNER
from stored_words import query

from idp.embedded import EmbeddedStores, binaries
from idp.embedded.process import Account, drop_to

pytestmark = pytest.mark.isolated
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NOBODY = Account.named("nobody")


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    every = {above for path in paths for above in (path, *path.parents)}
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in every}


@needs_root
def test_another_user_cannot_reach_the_sockets_of_a_folder_that_lies_open(made_folder, open_folder):
    folder = Path(shutil.copytree(made_folder, open_folder / "stores"))
    knock = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    with EmbeddedStores(folder, durable=False):
        for path in (folder / "postgres/.s.PGSQL.5432", folder / "valkey/valkey.sock"):
            assert path.is_socket()
            stranger = subprocess.run(
                ["/usr/bin/env", "python3", "-S", "-c", knock, str(path)],
                env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
                cwd="/",
                stderr=subprocess.PIPE,
                text=True,
                **drop_to(Account.named("daemon")),
            )
            if "python3" in stranger.stderr and "No such file" in stranger.stderr:
                pytest.skip("there is no python3 that an ordinary user could run")
            assert "PermissionError" in stranger.stderr


def test_a_number_of_a_dead_server_that_another_program_has_now_is_no_obstacle(folder):
    account = drop_to(NOBODY) if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **account) as stranger:
        try:
            (folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/postgres\n1\n5432\n\n\n")
            with EmbeddedStores(folder, durable=False) as stores:
                assert stores.postgres_pid is not None
        finally:
            stranger.kill()


def test_no_permission_outside_the_folder_changes(folder):
    program = binaries.installed(binaries.POSTGRES)
    before = modes(folder.parent, program)

    with EmbeddedStores(folder, durable=False):
        pass

    assert modes(folder.parent, program) == before


@needs_root
async def test_programs_in_a_private_home_are_copied_and_the_home_stays_private(folder, tmp_path, monkeypatch):
    home = private_site(tmp_path / "home")
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setattr(binaries, "find_spec", lambda module: binaries_in(home, module))
    before = modes(home)

    with EmbeddedStores(folder, durable=False) as stores:
        program = Path(f"/proc/{stores.postgres_pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        assert not program.startswith(str(home))
        assert await query(stores.start().database, "SELECT 1") == 1

    assert modes(home) == before
    assert not Path(program).exists()


def private_site(home: Path) -> Path:
    """A site-packages with the two packages, where only root may go."""
    home.mkdir(mode=0o700)
    copy_packages(home)
    return home


def copy_packages(target: Path) -> None:
    for package in (binaries.POSTGRES, binaries.VALKEY):
        site = next(path for path in binaries.installed(package).parents if (path / package.module).is_dir())
        for part in package.parts:
            if (site / part).is_dir():
                shutil.copytree(site / part, target / part, symlinks=True)


def binaries_in(home: Path, module: str):
    from importlib.machinery import ModuleSpec

    spec = ModuleSpec(module, None, is_package=True)
    spec.submodule_search_locations = [str(home / module)]
    return spec


@needs_root
def test_root_runs_both_servers_as_another_user(running):
    for pid in (running.postgres_pid, running.valkey_pid):
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert status["Uid"].split() == [str(NOBODY.uid)] * 4
        assert status["Groups"].split() in ([], [str(NOBODY.gid)])


@needs_root
def test_an_ordinary_user_starts_stores_in_a_folder_of_its_own(open_folder):
    site = open_folder / "site"
    site.mkdir()
    copy_packages(site)
    shutil.copytree(OWNER.parents[2] / "idp", site / "idp")
    shutil.copytree(Path(asyncpg.__file__).parent, site / "asyncpg")
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, NOBODY.uid, NOBODY.gid)
    python = interpreter_of_an_ordinary_user(site)

    started = subprocess.run(
        [python, str(shutil.copy(OWNER, site)), str(home / "stores")],
        env={"PYTHONPATH": str(site)},
        cwd="/",
        input="",
        capture_output=True,
        text=True,
        **drop_to(NOBODY),
    )

    assert (started.returncode, started.stderr) == (0, "")
    assert len(started.stdout.split()) == 2
    assert (home / "stores" / "postgres").stat().st_uid == NOBODY.uid


def interpreter_of_an_ordinary_user(site: Path) -> str:
    wanted = f"import sys, asyncpg; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    minor = f"python3.{sys.version_info[1]}"
    for python in (str(Path(sys.executable).resolve()), f"/usr/local/bin/{minor}", f"/usr/bin/{minor}"):
        try:
            tried = subprocess.run(
                [python, "-c", wanted], env={"PYTHONPATH": str(site)}, cwd="/", capture_output=True, **drop_to(NOBODY)
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip(f"NOT TESTED: the start as an ordinary user. No {minor} on this machine that such a user may run")
