"""
Imports that take long: one that is killed or interrupted goes on where it ended, and memory does not grow with the file.

The file is a named pipe where an import must be met in the middle: the program has what was written and waits for more.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from foreign_users import bcrypt_hash, keycloak_user
from program import Beside, Started
from world import World

LIMIT = 120.0


def some(mark: str, count: int) -> list[str]:
    digest = bcrypt_hash()
    users = ({"email": f"{mark}-{n}@example.com", "name": "Ada", "password_hash": digest} for n in range(count))
    return [json.dumps(user) + "\n" for user in users]


async def made(world: World, mark: str) -> int:
    query = "SELECT count(*) FROM users WHERE email_norm LIKE $1"
    return int(await world.database.fetchval(query, f"{mark}-%"))


async def until(world: World, mark: str, count: int) -> None:
    async with asyncio.timeout(LIMIT):
        while await made(world, mark) < count:
            await asyncio.sleep(0.02)


@contextmanager
def importing(process: Started, file: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "idp", "users", "import", str(file), "--from", "jsonl", "--format", "json"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = subprocess.Popen(command, env=process.environment, cwd=process.folder, **streams)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@contextmanager
def held_open(pipe: Path, lines: list[str]) -> Iterator[None]:
    """*lines* are in the pipe, whose writer stays: its reader waits for more."""
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # for both ends, or this would wait for the reader
    writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=descriptor)
    os.close(descriptor)
    assert writer.stdin is not None
    try:
        writer.stdin.write("".join(lines).encode())
        writer.stdin.flush()
        yield
    finally:
        writer.kill()
        writer.communicate()


async def test_an_import_that_is_killed_and_run_again_makes_every_user_once(
    process: Started, program: Beside, world: World
) -> None:
    mark, total = f"killed-{secrets.token_hex(4)}", 1100
    lines = some(mark, total)
    file, pipe = process.folder / f"{mark}.jsonl", process.folder / f"{mark}.pipe"
    file.write_text("".join(lines))

    with held_open(pipe, lines[:600]), importing(process, pipe) as first:
        await until(world, mark, 500)
        first.send_signal(signal.SIGKILL)
        first.wait(LIMIT)
    between = await made(world, mark)
    again = await program.json("users", "import", str(file))
    third = await program.json("users", "import", str(file))

    assert between == 500
    assert (again["created"], again["known"], again["complete"]) == (total - between, between, True)
    assert (third["created"], third["known"]) == (0, total)
    assert await made(world, mark) == total
    events = """
        SELECT count(*), count(DISTINCT user_id) FROM audit.events e JOIN users u ON u.id = e.user_id
        WHERE e.name = 'user_imported' AND u.email_norm LIKE $1
    """
    assert tuple(await world.database.fetchrow(events, f"{mark}-%")) == (total, total)


async def test_ctrl_c_ends_an_import_with_what_was_done_and_says_where_to_go_on(
    process: Started, program: Beside, world: World
) -> None:
    mark = f"interrupted-{secrets.token_hex(4)}"
    lines = some(mark, 400)
    file, pipe = process.folder / f"{mark}.jsonl", process.folder / f"{mark}.pipe"
    file.write_text("".join(lines))

    with held_open(pipe, lines[:300]), importing(process, pipe) as first:
        await until(world, mark, 250)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=LIMIT)
    rest = await program.json("users", "import", str(file), "--from-line", "251")

    assert first.returncode == 1
    assert (json.loads(out)["created"], json.loads(out)["complete"]) == (250, False)
    assert f"Interrupted. Go on with the same command, or with --from-line 251 of {pipe}." in err
    assert "Traceback" not in err
    assert (rest["read"], rest["created"]) == (150, 150)
    assert await made(world, mark) == 400


def large_realm(file: Path, count: int) -> None:
    """24 KB for each user, all in one JSON document."""
    mark = secrets.token_hex(4)
    with file.open("w") as realm:
        realm.write('{"realm": "example", "users": [')
        for number in range(count):
            user = keycloak_user(f"{mark}-{number}@example.com", attributes={"note": [secrets.token_hex(12_000)]})
            realm.write((", " if number else "") + json.dumps(user))
        realm.write("]}")


# VmHWM is of the program alone; what `wait4` tells begins with the memory of the process that started it.
MEASURED = """
import re, sys
from pathlib import Path
from idp.cli import main
try:
    main(sys.argv[1:])
finally:
    print(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


async def peak_memory(process: Started, *arguments: str) -> tuple[int, dict[str, Any]]:
    """In bytes, of the program while it ran; and its answer."""
    done = await asyncio.to_thread(process.python, "-c", MEASURED, *arguments, "--format", "json", limit=1200)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1]) * 1024, json.loads(done.stdout)


async def test_memory_does_not_grow_with_the_file(process: Started, world: World) -> None:
    few, many = process.folder / "few.json", process.folder / "many.json"
    large_realm(few, 2)
    large_realm(many, 2000)

    at_first, _ = await peak_memory(process, "users", "import", str(few))
    afterwards, summary = await peak_memory(process, "users", "import", str(many))

    assert summary["created"] == 2000
    assert many.stat().st_size > 48_000_000
    # One step of 250 users has 6 MB of them, and while it is read the one before is still there.
    assert afterwards - at_first < many.stat().st_size / 2
    many.unlink()


@pytest.mark.soak
async def test_a_hundred_thousand_users_are_imported_in_minutes(process: Started, world: World) -> None:
    mark, total = f"many-{secrets.token_hex(4)}", 100_000
    file, exported = process.folder / f"{mark}.jsonl", process.folder / f"{mark}-out.jsonl"
    file.write_text("".join(some(mark, total)))

    for task in (("import", str(file)), ("import", str(file)), ("export", "--output", str(exported))):
        started = time.perf_counter()
        memory, summary = await peak_memory(process, "users", *task)
        seconds = time.perf_counter() - started
        print(f"{task[0]} of {total:,} users: {seconds:.1f} s, {memory / 2**20:.0f} MiB at most, {summary}")
        assert seconds < 600
        assert memory < 200 * 2**20

    assert await made(world, mark) == total
    assert len(exported.read_text().splitlines()) >= total
