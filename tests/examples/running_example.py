"""An example that runs as a process of its own until the test is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def example(url: str, *command: str) -> AsyncIterator[None]:
    """*command* is run in examples/, and answers at *url* by now."""
    process = await asyncio.create_subprocess_exec(*command, cwd=EXAMPLES, stderr=asyncio.subprocess.DEVNULL)
    try:
        await answering(url, process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answering(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(timeout=60, verify=False) as http:
        while True:
            assert process.returncode is None, "the example ended"
            try:
                await http.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
