"""Processes that own the embedded stores of a folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

OWNER = Path(__file__).with_name("owner.py")


class Owner:
    """Another process that starts the stores of *folder* and keeps them until it is killed."""

    def __init__(self, folder: Path, *options: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(OWNER.parents[2])}
        self.process = subprocess.Popen(
            [sys.executable, str(OWNER), str(folder), *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def pids(self) -> list[int]:
        """Of the processes it has started, once the stores answer."""
        assert self.process.stdout is not None
        return [int(pid) for pid in self.process.stdout.readline().split()]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        with self.process:
            pass


def eventually(condition, what: str, limit: float = 20.0):
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
    return found
