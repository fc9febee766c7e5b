"""`idp users import`: accounts of another system, or of a file that `idp users export` wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from idp.cli.environment import Stopped, with_services
from idp.cli.interrupts import Interrupts, interruptible
from idp.cli.output import formatted, show_record
from idp.cli.progress import Progress, progress
from idp.domain.errors import StoreUnavailable
from idp.domain.user_imports import Entry, Source
from idp.gateways import user_files
from idp.gateways.user_files import Unreadable, UserFile

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.services.imports.user_import import Tally

# One step: long enough that a round trip counts for little, short enough that sign-ins wait a moment at most for the lock
# of the audit trail's chain.
BATCH = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """*first*: the number of the first entry that counts."""

    files: list[str]
    source: Source | None
    admin_roles: tuple[str, ...]
    dry_run: bool
    first: int


@dataclass(slots=True)
class Summary:
    """*next_entry*: where another run may go on, None when there is nothing left."""

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


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--from", "source", type=click.Choice(list(Source)), help="Whose format it is.  [default: it is recognised]"
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.option("--errors", metavar="FILE", type=click.Path(dir_okay=False), help="Refused lines, as JSON lines.")
@click.option("--from-line", "first", metavar="N", type=click.IntRange(1), default=1, help="Begin here, in one FILE.")
@click.option(
    "--admin-role", "admin_roles", metavar="NAME", multiple=True, help="Realm role of administrators; Keycloak."
)
@formatted
@click.pass_context
def import_users(
    context: click.Context, /, files: tuple[str, ...], errors: str | None, form: str, **given: Any
) -> None:
    """
    Make the accounts that stand in FILE, a folder of files or - for standard input.

    Password hashes go with them: bcrypt, Argon2, PBKDF2 and scrypt. An address that has an account already is left alone, so
    the same command may be run again and goes on where it ended. Exit status 1 when a line was refused.

    \b
    Example:
      idp users import users.jsonl --dry-run
      idp users import export/ --from keycloak --errors refused.jsonl
    """
    chosen = given.pop("source")
    source = Source(chosen) if chosen else None
    if given["first"] > 1 and len(files) != 1:
        raise click.UsageError("--from-line counts in one FILE.")
    try:
        wanted = Wanted(files=user_files.expanded(list(files)), source=source, **given)
        summary = _imported(wanted, errors)
    except Unreadable as fault:
        raise Stopped(str(fault)) from None
    show_record(summary.record(wanted.dry_run), form)
    if not summary.complete:
        click.echo(f"{summary.fault} Go on with the same command, or with {_place(summary)}.", err=True)
    if summary.refused or not summary.complete:
        context.exit(1)


def _place(summary: Summary) -> str:
    return f"--from-line {summary.next_entry} of {summary.file}"


def _imported(wanted: Wanted, errors: str | None) -> Summary:
    summary = Summary()
    sizes = user_files.size_of(wanted.files)

    async def work(services: Services) -> None:
        with progress("bytes", sizes) as shown, _errors_file(errors) as told, interruptible() as interrupts:
            run = _Run(services, wanted, summary, shown, told, interrupts)
            try:
                await run.all_files()
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
        importer = self.services.administration.user_import
        reader = importer.reader(source, self.wanted.admin_roles)
        batches = _batches(file.entries(source), self.wanted.first)
        while (batch := self.interrupts.next_of(batches)) is not None:
            tally = await importer.take(batch, source, reader, dry_run=self.wanted.dry_run)
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
        return os.fdopen(os.open(Path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    except OSError as fault:
        raise Stopped(f"{name}: {fault.strerror}") from None
