import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio
import redis.exceptions
from conftest import OWNER, eventually, needs_root

from idp.gateways.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores, binaries
from idp.gateways.embedded import stores as stores_module
from idp.gateways.embedded.folder import Folder
from idp.gateways.embedded.process import Account, Identity, await_end, drop_to

pytestmark = pytest.mark.isolated

NOBODY = Account.named("nobody")


async def query(url: str, sql: str):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def valkey(url: str, *command: str):
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        return await client.execute_command(*command)


async def write_something(stores: EmbeddedStores) -> None:
    urls = stores.start()
    await query(urls.migration, "CREATE TABLE IF NOT EXISTS kept (word text)")
    await query(urls.database, "INSERT INTO kept VALUES ('still here')")
    await valkey(urls.redis, "SET", "kept", "still here")


async def read_it_back(stores: EmbeddedStores) -> tuple[str, str]:
    urls = stores.start()
    return await query(urls.database, "SELECT word FROM kept"), await valkey(urls.redis, "GET", "kept")


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    every = {above for path in paths for above in (path, *path.parents)}
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in every}


async def test_the_urls_open_both_stores_in_the_three_roles(running):
    urls = running.start()

    assert await query(urls.database, "SELECT current_user") == "idp_app"
    assert await query(urls.migration, "SELECT current_user") == "idp_owner"
    assert await query(running.superuser_url(), "SELECT current_user") == "postgres"
    assert await valkey(urls.redis, "PING") is True


def test_printing_the_urls_shows_no_password(running):
    urls = running.start()

    assert urlsplit(urls.database).password not in repr(urls) + str(urls)
    assert "@" not in repr(urls)


@pytest.mark.parametrize("role", ["idp_app", "idp_migrate", "postgres"])
async def test_postgres_refuses_a_wrong_password(running, role):
    host = urlsplit(running.start().database).query

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://{role}:wrong@/idp?{host}")


async def test_valkey_refuses_a_wrong_password(running):
    path = urlsplit(running.start().redis).path

    with pytest.raises(redis.exceptions.ConnectionError, match="invalid username-password pair"):
        await valkey(f"unix://:wrong@{path}", "PING")


async def test_valkey_never_evicts_and_keeps_an_append_only_file(running):
    url = running.start().redis
    settings = {
        name: (await valkey(url, "CONFIG", "GET", name))[name]
        for name in ("maxmemory-policy", "appendonly", "save", "hash-max-listpack-value")
    }

    assert settings == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "save": "",
        "hash-max-listpack-value": "128",
    }


def test_nothing_listens_on_the_network(running):
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
            listening |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}

    for pid in (running.postgres_pid, running.valkey_pid):
        try:
            opened = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        except PermissionError:
            pytest.skip("this machine does not let root look into processes of another user")
        assert any(name.startswith("socket:") for name in opened)
        assert not opened & listening


def test_no_password_is_in_a_list_of_processes_or_a_log(running):
    folder = running._folder.path
    passwords = running._folder.secrets()
    seen = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (running.postgres_pid, running.valkey_pid))
    seen += (folder / "postgres.log").read_bytes() + (folder / "valkey.log").read_bytes()

    for password in (passwords.superuser, passwords.migrate, passwords.runtime, passwords.valkey):
        assert password.encode() not in seen


def test_only_the_owner_can_read_what_lies_in_the_folder(running):
    folder = running._folder.path

    sockets = [running._sockets().postgres / ".s.PGSQL.5432", running._sockets().valkey / "valkey.sock"]

    readable = [path.name for path in (*folder.iterdir(), *sockets) if path.stat().st_mode & 0o077]

    assert readable == []


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


def test_a_second_start_is_refused_and_names_folder_and_owner(running):
    folder = running._folder.path

    with pytest.raises(EmbeddedBusy) as refusal:
        EmbeddedStores(folder).start()

    assert str(folder) in str(refusal.value)
    assert str(os.getpid()) in str(refusal.value)


async def test_another_process_attaches_to_the_stores_that_an_owner_runs(folder, start_owner):
    start_owner(folder).pids()

    urls = EmbeddedStores(folder).attach()

    assert urls is not None
    assert await query(urls.database, "SELECT current_user") == "idp_app"
    assert await valkey(urls.redis, "PING") is True
    with pytest.raises(EmbeddedBusy):
        EmbeddedStores(folder).start()


def test_who_attaches_waits_for_an_owner_that_is_starting(folder, start_owner):
    owner = start_owner(folder)
    eventually(EmbeddedStores(folder)._folder.owned_elsewhere, "the owner takes its lock")

    assert EmbeddedStores(folder).attach() is not None
    assert owner.process.poll() is None


def test_nobody_attaches_where_nothing_runs(folder, tmp_path):
    assert EmbeddedStores(folder).attach() is None
    assert EmbeddedStores(tmp_path / "never-made").attach() is None


async def test_killing_the_owner_ends_both_stores_and_the_next_start_has_the_data(folder, start_owner):
    owner = start_owner(folder)
    left = [Identity.of(pid) for pid in owner.pids()]
    urls = EmbeddedStores(folder).attach()
    await query(urls.migration, "CREATE TABLE kept AS SELECT 'still here' AS word")
    await valkey(urls.redis, "SET", "kept", "still here")

    owner.kill()

    with EmbeddedStores(folder, durable=False) as stores:
        assert not any(process.alive() for process in left)
        assert await read_it_back(stores) == ("still here", "still here")


def test_nothing_starts_beside_a_store_of_a_killed_owner_that_has_not_ended(folder, start_owner, monkeypatch):
    owner = start_owner(folder)
    owner.pids()
    owner.kill()
    left = Folder(folder).recall()
    for process in left.processes.values():
        await_end(process, 20)
    monkeypatch.setattr(stores_module, "ORPHAN_LIMIT", 0.05)

    with subprocess.Popen(["sleep", "60"]) as slow:
        Folder(folder).remember(replace(left, processes={"valkey": Identity.of(slow.pid)}))
        for _ in range(2):
            with pytest.raises(EmbeddedFailed, match=f"Process {slow.pid}"):
                EmbeddedStores(folder, durable=False).start()
        slow.kill()

    with EmbeddedStores(folder, durable=False) as stores:
        assert stores.valkey_pid is not None


def test_a_forked_worker_does_not_keep_the_folder_of_a_killed_owner(folder, start_owner):
    owner = start_owner(folder, "--fork")
    worker = Identity.of(owner.pids()[2])
    owner.kill()

    try:
        with EmbeddedStores(folder, durable=False):
            assert worker.alive()
    finally:
        os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["postgres", "valkey"])
async def test_a_killed_store_is_started_again_with_its_data(stores, name):
    await write_something(stores)
    pid = getattr(stores, f"{name}_pid")
    killed = Identity.of(pid)

    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not killed.alive(), "the store ends")

    assert stores.restart_dead() == [name]
    assert getattr(stores, f"{name}_pid") != pid
    assert await read_it_back(stores) == ("still here", "still here")
    assert stores.restart_dead() == []


async def test_a_store_that_was_stopped_on_purpose_stays_down_until_started(stores):
    await write_something(stores)
    stores.stop_valkey()
    stores.stop_postgres()

    assert stores.restart_dead() == []
    assert (stores.postgres_pid, stores.valkey_pid) == (None, None)

    stores.start_valkey()
    stores.start_postgres()
    assert await read_it_back(stores) == ("still here", "still here")


def test_a_first_start_killed_half_way_is_made_good_by_the_next(tmp_path, start_owner):
    folder = tmp_path / "stores"
    owner = start_owner(folder)
    eventually(lambda: list(folder.glob(".postgres-*/base")), "initdb is at work")
    owner.kill()
    assert not (folder / "postgres").exists()

    with EmbeddedStores(folder, durable=False):
        assert (folder / "postgres" / "PG_VERSION").exists()
    assert list(folder.glob(".postgres-*")) == []


def test_a_number_of_a_dead_server_that_another_program_has_now_is_no_obstacle(folder):
    account = drop_to(NOBODY) if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **account) as stranger:
        try:
            (folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/postgres\n1\n5432\n\n\n")
            with EmbeddedStores(folder, durable=False) as stores:
                assert stores.postgres_pid is not None
        finally:
            stranger.kill()


async def test_a_folder_with_a_long_path_is_served_from_sockets_elsewhere(made_folder, tmp_path):
    folder = Path(shutil.copytree(made_folder, tmp_path / ("long" * 25) / "stores"))
    stores = EmbeddedStores(folder, durable=False)
    urls = stores.start()
    sockets = Path(urlsplit(urls.redis).path).parent
    try:
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert await query(urls.database, "SELECT 1") == 1
        assert await valkey(urls.redis, "PING") is True
        assert EmbeddedStores(folder).attach() == urls
    finally:
        stores.stop()
    assert not sockets.parent.exists()


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
    shutil.copytree(OWNER.parents[3] / "idp", site / "idp")
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


def test_a_store_that_does_not_start_shows_its_log_and_leaves_the_folder_free(folder):
    with (folder / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")

    for _ in range(2):
        with pytest.raises(EmbeddedFailed) as failure:
            EmbeddedStores(folder, durable=False).start()

        assert str(folder / "postgres.log") in str(failure.value)
        assert "no_such_setting" in str(failure.value)


def test_without_the_extra_the_remedy_is_named(folder, monkeypatch):
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)

    with pytest.raises(EmbeddedFailed, match=r"pip install 'idp\[embedded\]'"):
        EmbeddedStores(folder).start()


def test_a_folder_that_anybody_can_write_to_is_refused(folder):
    folder.chmod(0o777)

    with pytest.raises(EmbeddedFailed, match="Anybody can write"):
        EmbeddedStores(folder).start()


def test_stopping_twice_is_as_good_as_once(stores):
    ends = [Identity.of(stores.postgres_pid), Identity.of(stores.valkey_pid)]

    stores.stop()
    stores.stop()

    assert not any(process.alive() for process in ends)
    assert EmbeddedStores(stores._folder.path).attach() is None
