"""One Valkey server, or one sentinel, on loopback: its configuration is what docs/valkey.md recommends, with short deadlines."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from idp.embedded.binaries import VALKEY, installed
from idp.embedded.process import Child

DOCUMENT = Path(__file__).parents[2] / "docs" / "valkey.md"
LIMIT = 60.0
# What may come of asking a server that starts, ends or changes its part.
NOT_YET = (redis.RedisError, OSError, AssertionError, asyncio.TimeoutError)
# Of the servers among themselves and of who administers them; the product has a user of its own.
ADMINISTRATOR = "administrator-of-tests"
USER, PASSWORD = "idp", "p@ss:w/rd"
SENTINEL_USER, SENTINEL_PASSWORD = "idp", "s%afe+"


def recommended(title: str) -> list[str]:
    """The lines of the configuration in docs/valkey.md that begins with the comment *title*, with passwords of these tests."""
    found = re.search(rf"```\n# {re.escape(title)}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found, f"docs/valkey.md has no configuration {title!r}"
    text = found[1].replace("PASSWORD-OF-IDP", PASSWORD).replace("PASSWORD-OF-SERVERS", ADMINISTRATOR)
    return text.replace("PASSWORD-FOR-SENTINELS", SENTINEL_PASSWORD).splitlines()


async def eventually(what: Callable[[], Awaitable[Any]], *, pause: float = 0.02) -> Any:
    """What it gives when it raises no more."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            return await what()
        except NOT_YET:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(pause)


class Node:
    """*lines* are its configuration. A sentinel rewrites it, so that one gets a file; a server reads it once."""

    def __init__(self, folder: Path, port: int, lines: Sequence[str], *, sentinel: bool = False) -> None:
        self.port = port
        self.folder = folder
        self._sentinel = sentinel
        self._lines = [f"port {port}", "bind 127.0.0.1", "dir ./", *lines]
        self._child = Child("Valkey", folder / "log", None)
        folder.mkdir(parents=True)
        (folder / "configuration").touch(0o600)
        (folder / "configuration").write_text("\n".join(self._lines) + "\n")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._child.pid is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.pid is not None

    def start(self) -> None:
        mode = ("configuration", "--sentinel") if self._sentinel else ("configuration",)
        self._child.spawn([str(installed(VALKEY)), *mode], cwd=self.folder, death_signal=signal.SIGKILL)

    def kill(self) -> None:
        """At once, as if its machine had died."""
        os.kill(self.pid, signal.SIGKILL)
        self._child.stop()

    def client(self, **options: Any) -> redis.asyncio.Redis:
        return redis.asyncio.Redis(
            host="127.0.0.1",
            port=self.port,
            password=SENTINEL_PASSWORD if self._sentinel else ADMINISTRATOR,
            socket_timeout=10,
            socket_connect_timeout=10,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **options,
        )

    async def ask(self, *words: str | int) -> Any:
        async with self.client() as client:
            return await client.execute_command(*words)

    async def said(self, *words: str | int) -> str:
        answer = await self.ask(*words)
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    async def info(self, section: str) -> dict[str, Any]:
        async with self.client() as client:
            found: dict[str, Any] = await client.info(section)
        return found

    async def ready(self) -> None:
        await eventually(lambda: self.ask("PING"))
