"""The program as a process: `idp serve` with stores of its own, started in a folder, ended with everything it started."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import prepared_stores

START_LIMIT = 180.0  # of a machine that does much else; two seconds on a quiet one
# For a server that many tests share from one address.
UNLIMITED = {
    **dict.fromkeys(
        (f"IDP_LIMIT_{kind}" for kind in ("LOGIN", "REGISTER", "REFRESH", "API", "ADMIN", "AUTHORIZE")), "off"
    ),
    "IDP_LOCKOUT_ATTEMPTS": "1000000",
}
STOP_LIMIT = 60.0


class ServerProcess:
    """
    *folder* gets the log, the stores and the keys. *python* is the interpreter whose `idp` runs; *settings* are IDP_….

    *limited*: with the limits and the lockout that users get by default. *new*: its own stores, if it has any, are made at
    the start, as for a user; otherwise they are there already and empty.
    """

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        arguments: tuple[str, ...] = (),
        limited: bool = False,
        new: bool = False,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / "server.log"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "COV_", "PYTEST_"))
        }
        self.environment = inherited | {
            "IDP_BIND": f"127.0.0.1:{self.port}",
            "IDP_DATA_DIR": str(folder / "data"),
            "IDP_KEYS_DIR": str(folder / "keys"),
            "IDP_BCRYPT_ROUNDS": "4",
            **({} if limited else UNLIMITED),
            **settings,
        }
        self._new = new or "IDP_DATABASE_URL" in settings
        self._command = [python, "-m", "idp", "serve", *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.launch()
        self.await_ready()
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Without waiting until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._new:
            prepared_stores.prepare(Path(self.environment["IDP_DATA_DIR"]))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        return self.process

    def await_ready(self, limit: float = START_LIMIT) -> None:
        end = time.monotonic() + limit
        # One client, which reads no certificates: that takes 40 ms of CPU, each time.
        with httpx.Client(base_url=self.url, timeout=30, verify=False) as http:
            while time.monotonic() < end:
                assert self.process is not None
                assert self.process.poll() is None, f"the server ended: {self.output()[-3000:]}"
                try:
                    if http.get("/health/ready").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"not ready after {limit} s: {self.output()[-3000:]}")

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_LIMIT)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def demo_secret(self) -> str:
        found = re.search(r"secret ([0-9a-f]{64})", self.output())
        assert found, "no demo client in the welcome"
        return found[1]

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            if self.process is not None:
                self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    """
    Below those that the system gives to connections, so that none of these takes it before the server does, seconds later.

    Drawn, since other test processes look for one too.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    places = [port for port in range(20_000, min(end, 32_000)) if port not in _given] or [0]
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", secrets.choice(places))) as probe:
            port = int(probe.getsockname()[1])
            _given.add(port)
            return port


_given: set[int] = set()
