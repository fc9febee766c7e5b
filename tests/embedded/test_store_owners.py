"""One process owns the stores of a folder: others attach, and the next one clears up after a killed one."""

import os
import signal
import subprocess
from dataclasses import replace

import pytest
from store_owners import eventually
from stored_words import query, read_it_back, valkey

from idp.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores
from idp.embedded import stores as stores_module
from idp.embedded.folder import Folder
from idp.embedded.process import Identity, await_end

pytestmark = pytest.mark.isolated


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


def test_a_first_start_killed_half_way_is_made_good_by_the_next(tmp_path, start_owner):
    folder = tmp_path / "stores"
    owner = start_owner(folder)
    eventually(lambda: list(folder.glob(".postgres-*/base")), "initdb is at work")
    owner.kill()
    assert not (folder / "postgres").exists()

    with EmbeddedStores(folder, durable=False):
        assert (folder / "postgres" / "PG_VERSION").exists()
    assert list(folder.glob(".postgres-*")) == []
