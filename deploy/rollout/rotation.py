"""Which nodes get requests, where the proxy can be told."""

from __future__ import annotations

import socket

from nodes import Failed

TIMEOUT = 10.0


class NoRotation:
    """The proxy finds out by itself, from each node's readiness."""

    def take_out(self, node: str) -> None:
        """Nothing to do: a node that was asked to stop is not ready, and serves until that has been noticed."""

    def put_back(self, node: str) -> None:
        """Nothing to do."""


class Haproxy:
    """Through its admin socket: a path, or `host:port`."""

    def __init__(self, address: str, backend: str) -> None:
        self._address = address
        self._backend = backend

    def take_out(self, node: str) -> None:
        """What it has under way ends there; nothing new comes."""
        self._set(node, "drain")

    def put_back(self, node: str) -> None:
        self._set(node, "ready")

    def _set(self, node: str, state: str) -> None:
        try:
            answer = self._asked(f"set server {self._backend}/{node} state {state}\n")
        except OSError as fault:
            raise Failed(f"haproxy's admin socket {self._address}: {fault}") from None
        if answer.strip():
            raise Failed(f"haproxy did not take {node} to {state}: {answer.strip()}")
        print(f"{node}: {state} in haproxy", flush=True)

    def _asked(self, line: str) -> str:
        host, _, port = self._address.rpartition(":")
        family = socket.AF_INET if host else socket.AF_UNIX
        with socket.socket(family) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect((host, int(port)) if host else self._address)
            connection.sendall(line.encode())
            return b"".join(iter(lambda: connection.recv(4096), b"")).decode(errors="replace")
