"""`idp clients export` and `idp clients import`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.cli import line_export, line_import
from idp.cli.output import formatted
from idp.domain.accounts.user_imports import Rehearsal, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.bootstrap import Services
    from idp.domain.accounts.user_imports import Entry
    from idp.services.accounts.imports.tally import Tally


@click.command("export")
@line_export.written_to
@formatted
def export_clients(output: str | None, form: str) -> None:
    """
    Write every client as a JSON line, with the digests of its secrets: where it is imported, the client works on.

    \b
    Example:
      idp clients export --output clients.jsonl
    """
    from idp.services.accounts.imports.client_lines import line_of

    line_export.run(line_export.Export("clients", lambda exports: exports.clients(), line_of), output, form)


@click.command("import")
@click.argument("file", metavar="FILE")
@line_import.careful
@formatted
def import_clients(file: str, dry_run: bool, errors: str | None, form: str) -> None:
    """
    Register the clients that `idp clients export` wrote to FILE, or - for standard input. One that is known stays as it is.

    \b
    Example:
      idp clients import clients.jsonl
    """

    rehearsal = Rehearsal() if dry_run else None

    def taking(services: Services, _: Source) -> line_import.Take:
        from idp.services.accounts.imports.tally import Tally

        async def take(entries: Sequence[Entry]) -> Tally:
            whole = Tally()
            for entry in entries:
                whole.add(await services.administration.imports.clients.take(entry, rehearsal))
            return whole

        return take

    wanted = line_import.Wanted(files=[file], taking=taking, source=Source.JSONL, dry_run=dry_run, errors=errors)
    line_import.run(wanted, form)
