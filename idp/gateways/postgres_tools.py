"""
PostgreSQL's own programs for backups, `pg_dump` and `pg_restore`: those of the embedded package, else those on PATH.

The password goes by the environment of the child, never by its arguments, which every account of the machine can read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from idp.embedded import EmbeddedFailed
from idp.embedded.binaries import POSTGRES, installed

# One transaction: a restore that fails leaves nothing behind.
DUMP = ("--format=custom", "--schema=public", "--schema=audit", "--no-owner")
RESTORE = ("--single-transaction", "--exit-on-error", "--no-owner")
PUBLIC_SCHEMA = " SCHEMA - public "  # is in every database, and may belong to somebody else


class ToolFailed(Exception):
    """A sentence for who asked. What the program said is in it: it names tables and roles, no row and no password."""


def dump(credentials: Mapping[str, Any], target: IO[bytes]) -> None:
    """Everything as of one instant, in the format that `restore` reads. Writers are not held up."""
    _run("pg_dump", DUMP, credentials, stdout=target)


def restore(credentials: Mapping[str, Any], source: Path) -> None:
    """Into a database without tables of ours."""
    command = [_program("pg_restore"), "--list", str(source)]
    listed = subprocess.run(command, env=_environment({}), capture_output=True, check=False)  # noqa: S603 - no shell
    if listed.returncode:
        raise ToolFailed(f"{source} is no dump that pg_restore can read: {_said(listed.stderr)}")
    wanted = b"\n".join(line for line in listed.stdout.splitlines() if PUBLIC_SCHEMA.encode() not in line)
    with _in_memory(wanted) as contents:
        arguments = (*RESTORE, f"--use-list=/proc/self/fd/{contents.fileno()}", f"--dbname={credentials['database']}")
        _run("pg_restore", (*arguments, str(source)), credentials, pass_fds=(contents.fileno(),))


def _run(name: str, arguments: Sequence[str], credentials: Mapping[str, Any], **streams: Any) -> None:
    command = [_program(name), *arguments]
    done = subprocess.run(command, env=_environment(credentials), stderr=subprocess.PIPE, check=False, **streams)  # noqa: S603
    if done.returncode:
        raise ToolFailed(f"{name} failed: {_said(done.stderr)}")


def _program(name: str) -> str:
    try:
        return str(installed(POSTGRES).with_name(name))
    except EmbeddedFailed:
        found = shutil.which(name)
    if found is None:
        raise ToolFailed(f"There is no {name}: install PostgreSQL's client programs, or pip install 'idp[embedded]'.")
    return found


def _environment(credentials: Mapping[str, Any]) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "database": "PGDATABASE"}
    names |= {"ssl": "PGSSLMODE", "target_session_attrs": "PGTARGETSESSIONATTRS"}
    given = {name: _text(credentials[key]) for key, name in names.items() if credentials.get(key) is not None}
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "IDP_"))} | given


def _text(value: Any) -> str:
    """Of several servers each: libpq parts them by commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _in_memory(content: bytes) -> IO[bytes]:
    file = os.fdopen(os.memfd_create("list"), "w+b")
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _said(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return " ".join(lines[:3]) or "it said nothing."
