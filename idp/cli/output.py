"""What a command prints on standard output: a table for people, JSON for programs. Names are the same in both, snake_case."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from idp.domain.operation.legible import legible

Record = Mapping[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

WIDE = 10_000  # columns: a table that is piped is never folded, so that each record stays on its line


class Printable(click.ParamType):  # type: ignore[type-arg]
    """Text that a terminal and a database take: no control characters, no bytes that are not UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.isprintable():
            self.fail("it has characters that cannot be printed", param, ctx)
        return text


class Name(Printable):
    """What people read: white space and joiners that some languages need are no control characters. The domain has the rules."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            self.fail("it has control characters, or bytes that are not UTF-8", param, ctx)
        return text


TEXT = Printable()
NAME = Name()


def formatted(command: Command) -> Command:
    """Gives *command* the option `--format`, as its argument *form*."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="For people, or for programs.",
    )(command)


def show_record(record: Record, form: str) -> None:
    if form == "json":
        _show_json(record)
        return
    table = _table()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(name, _cell(value))
    _print(table)


def show_records(records: Sequence[Record], form: str, columns: Sequence[str]) -> None:
    """JSON has everything, as an array; the table has *columns*."""
    if form == "json":
        _show_json(records)
        return
    table = _table(show_header=True, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for record in records:
        table.add_row(*(_cell(record[column]) for column in columns))
    _print(table)


def instant(at: datetime | None) -> str | None:
    """RFC 3339, UTC, seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def _show_json(value: Any) -> None:
    # Escaped to ASCII: nothing that a user chose as a name reaches a terminal as a control sequence.
    click.echo(json.dumps(value, indent=2))


def _table(**options: Any) -> Any:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), **({"show_header": False} | options))


def _cell(value: Any) -> Any:
    from rich.text import Text

    return Text(legible(_words(value)))  # not markup: a name may hold brackets


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(each)}" for name, each in value.items()) or "-"
    return str(value)


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    console.print(table)
