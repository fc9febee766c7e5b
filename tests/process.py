"""The program as a process: `idp serve` with stores of its own, started in a folder, ended with everything it started."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

START_LIMIT = 180.0
# For a server that many tests share from one address.
UNLIMITED = {
    **dict.fromkeys(
        (f"IDP_LIMIT_{kind}" for kind in ("LOGIN", "REGISTER", "REFRESH", "API", "ADMIN", "AUTHORIZE")), "off"
    ),
    "IDP_LOCKOUT_ATTEMPTS": "1000000",
}
STOP_LIMIT = 30.0


class ServerProcess:
    """
    *folder* gets the log, the stores and the keys. *python* is the interpreter whose `idp` runs; *settings* are IDP_….

    *limited*: with the limits and the lockout that users get by default.
    """

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        arguments: tuple[str, ...] = (),
        limited: bool = False,
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
        self._command = [python, "-m", "idp", "serve", *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.launch()
        self.await_ready()
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Without waiting until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
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
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, f"the server ended: {self.output()[-3000:]}"
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
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
        return self.start()

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
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
