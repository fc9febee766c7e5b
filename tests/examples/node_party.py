"""A relying party that runs in Node: a script of parties/, asked one thing after the other."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running_example import EXAMPLES

PARTIES = Path(__file__).parent / "parties"
NODE = shutil.which("node")
LONGEST_ANSWER = 1 << 20


class Failed(Exception):
    """What the library threw. *code* is the library's own, *error* the server's."""

    def __init__(self, message: str, code: str | None = None, error: str | None = None, cause: str = "") -> None:
        super().__init__(f"{message} {code or ''} {error or ''} {cause}")
        self.code = code
        self.error = error


@dataclass
class NodeParty:
    process: asyncio.subprocess.Process

    async def ask(self, do: str, **given: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do} | given).encode() + b"\n")
        async with asyncio.timeout(60):
            line = await self.process.stdout.readline()
        assert line, "the script ended"
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(**answer["failed"])
        return answer["done"]


def needs(*libraries: str) -> None:
    """Skips the test where Node or one of them is missing."""
    missing = [name for name in libraries if not (EXAMPLES / "node_modules" / name).is_dir()]
    if NODE is None or missing:
        pytest.skip(f"not installed: {'node' if NODE is None else ', '.join(missing)} (npm install in examples/)")


@asynccontextmanager
async def node_party(script: str) -> AsyncIterator[NodeParty]:
    assert NODE is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        NODE, str(PARTIES / script), stdin=pipe, stdout=pipe, limit=LONGEST_ANSWER
    )
    try:
        yield NodeParty(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
