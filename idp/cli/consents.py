"""`idp consents`: what users have allowed clients."""

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


@click.group("consents")
def command() -> None:
    """
    What users have allowed clients.

    \b
    Example:
      idp consents export > consents.jsonl
    """


@command.command("export")
@line_export.written_to
@formatted
def export_consents(output: str | None, form: str) -> None:
    """
    Write every consent as a JSON line.

    \b
    Example:
      idp consents export --output consents.jsonl
    """
    from idp.services.accounts.imports.consent_lines import line_of

    line_export.run(line_export.Export("consents", lambda exports: exports.consents(), line_of), output, form)


@command.command("import")
@click.argument("file", metavar="FILE")
@line_import.careful
@formatted
def import_consents(file: str, dry_run: bool, errors: str | None, form: str) -> None:
    """
    Take back what `idp consents export` wrote to FILE, or - for standard input. Users and clients must be there already.

    \b
    Example:
      idp consents import consents.jsonl
    """

    rehearsal = Rehearsal() if dry_run else None

    def taking(services: Services, _: Source) -> line_import.Take:
        async def take(entries: Sequence[Entry]) -> Tally:
            return await services.administration.imports.consents.take(entries, rehearsal)

        return take

    wanted = line_import.Wanted(files=[file], taking=taking, source=Source.JSONL, dry_run=dry_run, errors=errors)
    line_import.run(wanted, form)
