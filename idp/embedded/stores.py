"""
Both embedded stores as one thing: started, watched, stopped and found together.

Synchronous, since it works before there is an event loop and beside one only for an instant.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from idp.embedded.binaries import POSTGRES, VALKEY, Package, make_shelter, runnable
from idp.embedded.folder import Folder, State
from idp.embedded.postgres import PORT, Postgres
from idp.embedded.process import Account, EmbeddedBusy, EmbeddedFailed, Identity, await_end, hand_over
from idp.embedded.roles import create_database, create_roles, restrict_database
from idp.embedded.urls import NAMES, Sockets, StoreUrls
from idp.embedded.valkey import Valkey

LONGEST_SOCKET = 100  # bytes; the kernel takes 107
ORPHAN_LIMIT = 30.0  # seconds that the stores of a killed owner get to follow it
ATTACH_LIMIT = 30.0  # seconds that an owner seen starting gets to be ready


class EmbeddedStores:
    """
    The two stores of one *folder*, which belongs to one process at a time.

    *durable* False is for tests: nothing waits for the disk, and a power cut may lose everything. *run_as* is the account
    of the servers when this process is root: by default whoever owns the data already, else "nobody".
    """

    def __init__(self, folder: Path, *, durable: bool = True, run_as: str | None = None) -> None:
        self._folder = Folder(folder.absolute())
        self._durable = durable
        self._run_as = run_as
        self._shelter: Path | None = None
        self._owner: Identity | None = None
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None

    def start(self) -> StoreUrls:
        """
        Starts both stores, after making them on first use. Called in the main thread.

        Raises `EmbeddedBusy` when another process owns the folder, `EmbeddedFailed` when a store does not start.
        """
        if sys.platform != "linux":
            raise EmbeddedFailed(
                "Embedded stores need Linux: set IDP_DATABASE_URL and IDP_REDIS_URL to servers of your own."
            )
        if self._owner is not None:
            return self._urls()
        account = self._account()
        self._folder.create(mode=0o700 if account is None else 0o711)
        self._folder.claim()
        try:
            self._clear_away()
            self._start(account)
        except BaseException:
            self.stop()
            self._folder.release()
            raise
        return self._urls()

    def _start(self, account: Account | None) -> None:
        self._owner = Identity.of(os.getpid())
        secrets = self._folder.secrets()
        folder, durable, sockets = self._folder.path, self._durable, self._socket_folder(account)
        postgres = Postgres(folder, self._program(POSTGRES, account), durable=durable, account=account, sockets=sockets)
        valkey = Valkey(
            folder,
            self._program(VALKEY, account),
            durable=durable,
            account=account,
            sockets=sockets,
            password=secrets.valkey,
        )
        self._postgres, self._valkey = postgres, valkey
        postgres.initialise(secrets.superuser)
        valkey.initialise()
        self._launch(postgres, valkey)
        _in_a_loop_of_its_own(self._provision())
        self._remember(ready=True)

    def _account(self) -> Account | None:
        if os.geteuid() != 0:
            if self._run_as is not None and Account.named(self._run_as).uid != os.geteuid():
                raise EmbeddedFailed(f"Only root can run the embedded stores as {self._run_as!r}.")
            return None
        if self._run_as is not None:
            return Account.named(self._run_as)
        return (
            Account.owning(self._folder.path / "postgres")
            or Account.owning(self._folder.path)
            or Account.named("nobody")
        )

    def _clear_away(self) -> None:
        """What an owner left that was killed: servers about to end, and its temporary folder."""
        left = self._folder.recall()
        if left is None:
            return
        for process in left.processes.values():
            await_end(process, ORPHAN_LIMIT)
        _remove_shelter(left.shelter)
        self._folder.forget()

    def _socket_folder(self, account: Account | None) -> Path | None:
        """Of its own when the path would be too long for sockets beside the data; None when it is not."""
        if len(bytes(self._folder.path / "postgres" / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET:
            return None
        sockets = self._take_shelter(account) / "sockets"
        sockets.mkdir(mode=0o700)
        hand_over(sockets, account)
        return sockets

    def _take_shelter(self, account: Account | None) -> Path:
        if self._shelter is None:
            self._shelter = make_shelter(account)
            self._remember()
        return self._shelter

    def _program(self, package: Package, account: Account | None) -> Path:
        return runnable(package, account, (lambda: self._folder.path, lambda: self._take_shelter(account)))

    def _launch(self, *stores: Postgres | Valkey) -> None:
        for store in stores:
            store.launch()
        self._remember()  # before they are ready: whoever comes after us must know whom to wait for
        for store in stores:
            store.await_ready()

    async def _provision(self) -> None:
        secrets = self._folder.secrets()
        try:
            superuser = await asyncpg.connect(self.superuser_url())
            try:
                await create_roles(superuser, NAMES, migrate_password=secrets.migrate, runtime_password=secrets.runtime)
                await create_database(superuser, NAMES)
                await superuser.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
            finally:
                await superuser.close()
            database = await asyncpg.connect(self.superuser_url(NAMES.database))
            try:
                await restrict_database(database, NAMES)
            finally:
                await database.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
            raise EmbeddedFailed(
                f"PostgreSQL in {self._folder.path} could not be set up: {type(fault).__name__}"
            ) from fault

    def _remember(self, *, ready: bool = False) -> None:
        if self._owner is None:
            return
        identities = {
            store.name: identity
            for store in (self._postgres, self._valkey)
            if store is not None and store.child.pid is not None and (identity := Identity.of(store.child.pid))
        }
        self._folder.remember(State(self._owner, self._shelter, identities, ready))

    def stop(self) -> None:
        """Both, in order, and gives the folder back. Idempotent; does nothing in a process that did not start them."""
        if self._owner is None or self._owner.pid != os.getpid():
            return
        if self._valkey is not None:
            self._valkey.stop()
        if self._postgres is not None:
            self._postgres.stop()
        _remove_shelter(self._shelter)
        self._folder.forget()
        self._folder.release()
        self._postgres = self._valkey = self._owner = self._shelter = None

    def restart_dead(self) -> list[str]:
        """
        The names ("postgres", "valkey") of stores that had died and run again now. Cheap when none has.

        Raises `EmbeddedFailed` when one does not come back; the next call tries again.
        """
        dead = [store for store in (self._postgres, self._valkey) if store is not None and store.child.died]
        if dead:
            self._launch(*dead)
            self._remember(ready=True)
        return [store.name for store in dead]

    def attach(self) -> StoreUrls | None:
        """
        The stores that another process runs in this folder, or None when none does. One that is starting is waited for.

        Raises `EmbeddedBusy` when it does not become ready.
        """
        deadline = time.monotonic() + ATTACH_LIMIT
        while self._folder.owned_elsewhere():
            state = self._folder.recall()
            if state is not None and state.ready and state.owner.alive():
                self._shelter = state.shelter
                return self._urls()
            if time.monotonic() > deadline:
                raise EmbeddedBusy(
                    f"The stores in {self._folder.path} are being started by another process and do not answer."
                )
            time.sleep(0.02)
        return None

    def superuser_url(self, database: str = "postgres") -> str:
        """For tests that make databases of their own. Only while the stores run, started or attached."""
        return self._sockets().superuser_url(self._folder.secrets(), database)

    def _urls(self) -> StoreUrls:
        return self._sockets().urls(self._folder.secrets())

    def _sockets(self) -> Sockets:
        if self._shelter is not None and (short := self._shelter / "sockets").is_dir():
            return Sockets(short, short)
        return Sockets(self._folder.path / "postgres", self._folder.path / "valkey")

    @property
    def postgres_pid(self) -> int | None:
        return self._postgres.child.pid if self._postgres is not None else None

    @property
    def valkey_pid(self) -> int | None:
        return self._valkey.child.pid if self._valkey is not None else None

    def stop_postgres(self) -> None:
        """One store alone, for fault tests: `restart_dead` leaves it down until `start_postgres`."""
        if self._postgres is not None:
            self._postgres.stop()

    def start_postgres(self) -> None:
        if self._postgres is not None and self._postgres.child.pid is None:
            self._launch(self._postgres)
            self._remember(ready=True)

    def stop_valkey(self) -> None:
        """One store alone, for fault tests: `restart_dead` leaves it down until `start_valkey`."""
        if self._valkey is not None:
            self._valkey.stop()

    def start_valkey(self) -> None:
        if self._valkey is not None and self._valkey.child.pid is None:
            self._launch(self._valkey)
            self._remember(ready=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _remove_shelter(shelter: Path | None) -> None:
    if shelter is not None and shelter.name.startswith("idp-") and not shelter.is_symlink():
        shutil.rmtree(shelter, ignore_errors=True)


def _in_a_loop_of_its_own(work: Coroutine[None, None, None]) -> None:
    # In a thread: the caller's thread may have a loop already, or be about to get one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
