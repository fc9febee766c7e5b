"""What the exports have in common: JSON lines, to standard output or to a file that is there whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

import click

from idp.cli.environment import Stopped, with_services
from idp.cli.output import show_record
from idp.cli.progress import progress

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.domain.accounts.transfers import Exports

Command = TypeVar("Command", bound=Callable[..., Any])
Kept = TypeVar("Kept")

ADVANCE = 100


def written_to(command: Command) -> Command:
    """Gives *command* the option `--output`, as its argument *output*."""
    return click.option(
        "--output",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Write here, readable by you alone, and print how many there are.  [default: standard output]",
    )(command)


@dataclass(frozen=True, slots=True)
class Export(Generic[Kept]):
    """*kind*: users, clients or consents. *line* gives the JSON object of one of them."""

    kind: str
    each: Callable[[Exports], AsyncIterator[Kept]]
    line: Callable[[Kept], Mapping[str, Any]]


def run(wanted: Export[Kept], output: str | None, form: str) -> None:
    async def work(services: Services) -> int:
        exports, written = services.administration.exports, 0
        with _target(output) as stream, progress(wanted.kind, await exports.count(wanted.kind)) as shown:
            async for each in wanted.each(exports):
                stream.write(json.dumps(wanted.line(each)) + "\n")
                written += 1
                if written % ADVANCE == 0:
                    shown.reached(written)
            shown.reached(written)
        return written

    written = with_services(work)
    if output is not None:
        show_record({"exported": written, "file": output}, form)


@contextmanager
def _target(output: str | None) -> Iterator[IO[str]]:
    """A file takes its name when all of it is written: half an export looks like a whole one."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    unfinished = Path(f"{output}.{os.getpid()}.part")
    try:
        stream = os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as fault:
        raise Stopped(f"{output}: {fault.strerror}") from None
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(output)
    except OSError as fault:
        raise Stopped(f"{output}: {fault.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
