"""What the imports have in common: files in, batch after batch, what was refused told by line, and a summary at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from idp.cli.environment import Stopped, with_services
from idp.cli.interrupts import Interrupts, interruptible
from idp.cli.output import show_record
from idp.cli.progress import Progress, progress
from idp.domain.accounts.user_imports import Entry, Source
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.legible import legible
from idp.gateways import user_files
from idp.gateways.user_files import Unreadable, UserFile

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.services.accounts.imports.tally import Tally

# One step: long enough that a round trip counts for little, short enough that sign-ins wait a moment at most for the lock
# of the audit trail's chain.
BATCH = 250

Command = TypeVar("Command", bound=Callable[..., Any])
Take = Callable[[Sequence[Entry]], Awaitable["Tally"]]


def careful(command: Command) -> Command:
    """Gives *command* the options `--dry-run` and `--errors`, as its arguments *dry_run* and *errors*."""
    errors = click.option(
        "--errors", metavar="FILE", type=click.Path(dir_okay=False), help="Refused lines, as JSON lines."
    )
    dry_run = click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
    return dry_run(errors(command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    *taking* gives what takes batches of a file of that format. *source* None: it is recognised. *first*: the number of the
    first entry that counts. *errors*: a file for what is refused.
    """

    files: Sequence[str]
    taking: Callable[[Services, Source], Take]
    source: Source | None
    dry_run: bool
    errors: str | None
    first: int = 1


@dataclass(slots=True)
class Summary:
    """*next_entry*: where another run may go on; *fault*: why this one ended before the end."""

    read: int = 0
    created: int = 0
    known: int = 0
    ignored: int = 0
    refused: int = 0
    complete: bool = False
    file: str = ""
    next_entry: int = 1
    fault: str | None = field(default=None, repr=False)

    def add(self, tally: Tally) -> None:
        self.read += tally.read
        self.created += tally.created
        self.known += tally.known
        self.ignored += tally.ignored
        self.refused += len(tally.refused)

    def record(self, dry_run: bool) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("read", "created", "known", "ignored", "refused")}
        return {**counts, "complete": self.complete, "dry_run": dry_run}


def run(wanted: Wanted, form: str) -> None:
    """Prints the summary. Exit status 1 when a line was refused, or when it ended before the end."""
    try:
        summary = _imported(wanted)
    except Unreadable as fault:
        raise Stopped(str(fault)) from None
    show_record(summary.record(wanted.dry_run), form)
    if not summary.complete:
        place = f"--from-line {summary.next_entry} of {summary.file}"
        click.echo(legible(f"{summary.fault} Go on with the same command, or with {place}."), err=True)
    if summary.refused or not summary.complete:
        click.get_current_context().exit(1)


def _imported(wanted: Wanted) -> Summary:
    summary = Summary()
    sizes = user_files.size_of(wanted.files)

    async def work(services: Services) -> None:
        with progress("bytes", sizes) as shown, _errors_file(wanted.errors) as told, interruptible() as interrupts:
            try:
                await _Run(services, wanted, summary, shown, told, interrupts).all_files()
            except StoreUnavailable:
                summary.fault = "The database did not answer."

    with_services(work)
    return summary


@dataclass(slots=True)
class _Run:
    services: Services
    wanted: Wanted
    summary: Summary
    shown: Progress
    errors: IO[str] | None
    interrupts: Interrupts
    bytes_before: int = 0

    async def all_files(self) -> None:
        for name in self.wanted.files:
            with user_files.opened(name) as file:
                self.summary.file, self.summary.next_entry = file.name, self.wanted.first
                await self._file(file)
                if self.interrupts.asked:
                    self.summary.fault = "Interrupted."
                    return
                self.bytes_before += _position(file)
        self.summary.complete = True

    async def _file(self, file: UserFile) -> None:
        source = self.wanted.source or file.source
        if source is None:
            raise Unreadable(f"{file.name}: whose format is this? Give --from {', '.join(Source)}.")
        take = self.wanted.taking(self.services, source)
        batches = _batches(file.entries(source), self.wanted.first)
        while (batch := self.interrupts.next_of(batches)) is not None:
            tally = await take(batch)
            self.summary.add(tally)
            self.summary.next_entry = batch[-1].number + 1
            for refused in tally.refused:
                self._tell(refused.entry, refused.reason)
            self.shown.reached(self.bytes_before + _position(file))

    def _tell(self, entry: Entry, reason: str) -> None:
        self.shown.tell(f"{entry.file}:{entry.number}: {reason}")
        if self.errors is not None:
            told = {"file": entry.file, "line": entry.number, "error": reason}
            self.errors.write(json.dumps(told) + "\n")
            self.errors.flush()


def _batches(entries: Iterator[Entry], first: int) -> Iterator[list[Entry]]:
    counted = (entry for entry in entries if entry.number >= first)
    while batch := list(islice(counted, BATCH)):
        yield batch


def _position(file: UserFile) -> int:
    return file.stream.tell() if file.stream.seekable() else 0


def _errors_file(name: str | None) -> Any:
    """Told to nobody else: the file says who has which fault. *name* None: there is none."""
    if name is None:
        return nullcontext()
    try:
        return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    except OSError as fault:
        raise Stopped(f"{name}: {fault.strerror}") from None
