"""How far long work is, on standard error when that is a terminal; elsewhere nothing is shown but what is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from idp.domain.operation.legible import legible


class Progress:
    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar, self._task = bar, task

    def reached(self, place: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=place)

    def advance(self, by: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, advance=by)

    def tell(self, line: str) -> None:
        """On standard error, above the bar. *line* may hold what stands in a file of others."""
        line = legible(line)
        if self._bar is None:
            click.echo(line, err=True)
        else:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """*total* None: nobody knows how much it is; then only time and speed are shown."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        yield Progress(bar, bar.add_task(what, total=total))
