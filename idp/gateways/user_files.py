"""
Files of users, read as a stream: however large the file, one line or one user of it is in memory.

JSON lines are read line by line. A Keycloak realm and a bulk import of Auth0 are one JSON document each, so they go through
ijson, which hands out one user after the other.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from idp.domain.accounts.user_imports import Entry, Source

STANDARD_INPUT = "-"
LONGEST_LINE = 1 << 20  # bytes; a user has a few hundred
HEAD = 1 << 16
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# What tells the formats apart, in the first lines of a file.
OF_AUTH0 = re.compile(rb'"(?:passwordHash|custom_password_hash|_id|user_id)"\s*:')
OF_KEYCLOAK = re.compile(rb'"(?:realm|users|credentials|username|enabled)"\s*:')
OF_JSONL = re.compile(rb'"email"\s*:')


class Unreadable(Exception):
    """A sentence for who named the file."""


@dataclass(frozen=True, slots=True)
class UserFile:
    """*stream* has everything from the beginning; *source* None: the format could not be recognised."""

    name: str
    stream: io.BufferedReader
    source: Source | None

    def entries(self, source: Source) -> Iterator[Entry]:
        """What stands in the file, one after the other; a fault that nothing can follow is the last of them."""
        opening = self.stream.peek(HEAD)[:HEAD].removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
        if source is Source.KEYCLOAK:
            yield from _of_document(self.name, self.stream, "users.item")
        elif source is Source.AUTH0 and opening == b"[":
            yield from _of_document(self.name, self.stream, "item")
        else:
            yield from _of_lines(self.name, self.stream)


def expanded(names: Sequence[str]) -> list[str]:
    """A folder stands for the JSON files in it, in the order of their names; Keycloak's file of the realm itself has none."""
    found: list[str] = []
    for name in names:
        folder = Path(name)
        if name == STANDARD_INPUT or not folder.is_dir():
            found.append(name)
            continue
        inside = sorted(str(path) for path in folder.iterdir() if path.suffix in (".json", ".jsonl") and path.is_file())
        users = [path for path in inside if re.search(r"-users-\d+\.json$", path)]
        if not inside:
            raise Unreadable(f"{name}: there is no .json or .jsonl file in this folder.")
        found += sorted(users, key=_place) or inside
    return found


def size_of(names: Sequence[str]) -> int | None:
    """Bytes of all files together; None when one of them has no end that is known."""
    if not all(Path(name).is_file() for name in names):
        return None
    return sum(Path(name).stat().st_size for name in names)


@contextmanager
def opened(name: str) -> Iterator[UserFile]:
    """*name* may be `-`. Raises `Unreadable`."""
    try:
        raw: Any = sys.stdin.buffer if name == STANDARD_INPUT else io.FileIO(name)
        # A buffer of its own: `peek` must show enough to recognise the format by.
        stream = io.BufferedReader(raw, HEAD)
        head = stream.peek(HEAD)
    except OSError as fault:
        raise Unreadable(f"{name}: {fault.strerror or 'it cannot be read'}.") from None
    try:
        yield UserFile("standard input" if name == STANDARD_INPUT else name, stream, recognised(head))
    finally:
        if name == STANDARD_INPUT:
            stream.detach()
        else:
            stream.close()


def recognised(head: bytes) -> Source | None:
    first, _, _ = head.removeprefix(BYTE_ORDER_MARK).lstrip().partition(b"\n")
    if first.startswith(b"["):
        return Source.AUTH0
    if OF_AUTH0.search(first):
        return Source.AUTH0
    if first.startswith(b"{") and OF_JSONL.search(first) and first.rstrip().endswith(b"}"):
        return Source.KEYCLOAK if OF_KEYCLOAK.search(first) else Source.JSONL
    return Source.KEYCLOAK if OF_KEYCLOAK.search(head) else None


def _of_lines(name: str, stream: IO[bytes]) -> Iterator[Entry]:
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            yield Entry(name, number, fault=f"the line is longer than {LONGEST_LINE:,} bytes.")
            while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            continue
        text = line.removeprefix(BYTE_ORDER_MARK).strip() if number == 1 else line.strip()
        if text:
            yield _read(name, number, text)


def _read(name: str, number: int, text: bytes) -> Entry:
    try:
        return Entry(name, number, orjson.loads(text))
    except orjson.JSONDecodeError:
        return Entry(name, number, fault="this is no JSON object on one line.")


def _of_document(name: str, stream: io.BufferedReader, within: str) -> Iterator[Entry]:
    import ijson

    if stream.peek(3)[:3] == BYTE_ORDER_MARK:
        stream.read(3)
    number = 0
    try:
        for user in ijson.items(stream, within, use_float=True):
            number += 1
            yield Entry(name, number, user)
    except (ijson.JSONError, ValueError):
        yield Entry(name, number + 1, fault="the JSON ends or breaks here: nothing after it was read.")


def _place(path: str) -> tuple[str, int]:
    """`realm-users-10.json` comes after `realm-users-9.json`."""
    stem, _, number = path.removesuffix(".json").rpartition("-")
    return stem, int(number)
