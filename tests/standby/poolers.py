"""pgbouncer in transaction mode before an embedded Postgres."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

from process import free_port

from idp.database.servers import credentials
from idp.embedded.process import Account, drop_to

START_LIMIT = 30.0
CONFIGURATION = """
[databases]
{database} = host={host} port={port} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listens}
unix_socket_dir =
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
auth_type = scram-sha-256
auth_file = {folder}/users.txt
"""


class Pooler:
    """For the role and the database of *url*, with *size* connections to the server. It runs as nobody when we are root."""

    def __init__(self, command: list[str], folder: Path, url: str, size: int) -> None:
        self._command = command
        self._folder = folder
        self._url = url
        self._size = size
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As an operator writes it."""
        parts = urlsplit(self._url)
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self._port}"
        assert "host" in parse_qs(parts.query)
        return urlunsplit(parts._replace(netloc=netloc, query="statement_cache_size=0"))

    def __enter__(self) -> Self:
        known = credentials(self._url)
        account = Account.named("nobody") if os.geteuid() == 0 else None
        self._folder.mkdir()
        users = self._folder / "users.txt"
        users.touch(0o600)
        users.write_text(f'"{known["user"]}" "{known["password"]}"\n')
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(
            CONFIGURATION.format(**known, listens=self._port, folder=self._folder, size=self._size).lstrip()
        )
        if account is not None:
            for path in (self._folder, users, settings):
                os.chown(path, account.uid, account.gid)
        with (self._folder / "pgbouncer.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, str(settings)], cwd="/", stdout=log, stderr=log, **drop_to(account)
            )
        self._await_ready()
        return self

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while True:
            assert self._process is not None
            said = (self._folder / "pgbouncer.log").read_text()
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(START_LIMIT)
            except subprocess.TimeoutExpired:  # seen once, on a machine with much to do
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
