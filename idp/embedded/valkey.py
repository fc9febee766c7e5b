"""
Valkey as a child process, reached by its socket alone.

The configuration goes to its standard input, so the password is in no file and in no list of processes. All paths in it
are relative to the working directory, which the run user need not be able to reach from above.
"""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from idp.embedded.process import Account, Child, hand_over

SOCKET = "valkey.sock"

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "logfile": '""',
    "dir": "./",
    "save": '""',
    "appendonly": "yes",
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-value": "128",  # a family with a long scope stays in the compact form
}


class Valkey:
    """One server in *folder*/valkey. *sockets*, if given, holds its socket because the folder's path is too long."""

    name = "valkey"

    def __init__(
        self,
        folder: Path,
        program: Path,
        *,
        durable: bool,
        account: Account | None,
        sockets: Path | None,
        password: str,
    ) -> None:
        self._data = folder / "valkey"
        self._program = program
        self._account = account
        self._password = password
        self._settings = {
            **SETTINGS,
            # Everysec loses at most a second to a power cut, and nothing to the death of the process.
            "appendfsync": "everysec" if durable else "no",
            "unixsocket": str(sockets / SOCKET) if sockets else SOCKET,
            "requirepass": password,
        }
        self._socket = (sockets or self._data) / SOCKET
        self.child = Child("Valkey", folder / "valkey.log", account)

    def initialise(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        hand_over(self._data, self._account)

    def launch(self) -> None:
        """Starts the server; `await_ready` waits until it answers."""
        configuration = "".join(f"{name} {value}\n" for name, value in self._settings.items())
        self.child.spawn(
            [str(self._program), "-"], cwd=self._data, death_signal=signal.SIGTERM, stdin=configuration.encode()
        )

    def await_ready(self) -> None:
        """Raises `EmbeddedFailed`."""
        self.child.await_ready(self._ready)

    def _ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self._socket))
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (received := connection.recv(256)):
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"  # -LOADING until the data are in memory

    def stop(self) -> None:
        self.child.stop((signal.SIGTERM, 30.0))
