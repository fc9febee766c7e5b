"""Stores that run: who gets in, what they keep to, and what shows of them."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio
import redis.exceptions
from stored_words import query, valkey

from idp.embedded import EmbeddedBusy, EmbeddedStores

pytestmark = pytest.mark.isolated


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


def test_a_second_start_is_refused_and_names_folder_and_owner(running):
    folder = running._folder.path

    with pytest.raises(EmbeddedBusy) as refusal:
        EmbeddedStores(folder).start()

    assert str(folder) in str(refusal.value)
    assert str(os.getpid()) in str(refusal.value)


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
