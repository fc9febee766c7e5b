"""`idp users import`: accounts of another system, or of a file that `idp users export` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.cli.environment import Stopped
from idp.cli.line_import import Take, Wanted, careful, run
from idp.cli.output import formatted
from idp.domain.accounts.user_imports import Rehearsal, Source
from idp.gateways import user_files
from idp.gateways.user_files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.bootstrap import Services
    from idp.domain.accounts.user_imports import Entry
    from idp.services.accounts.imports.tally import Tally


FORMAT = click.Choice([source.value for source in Source])


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--from", "source", type=FORMAT, help="Whose format it is.  [default: it is recognised]")
@careful
@click.option("--from-line", "first", metavar="N", type=click.IntRange(1), default=1, help="Begin here, in one FILE.")
@click.option(
    "--admin-role", "admin_roles", metavar="NAME", multiple=True, help="Keycloak's realm role of administrators."
)
@formatted
def import_users(
    files: tuple[str, ...],
    source: str | None,
    dry_run: bool,
    errors: str | None,
    first: int,
    admin_roles: tuple[str, ...],
    form: str,
) -> None:
    """
    Make the accounts that stand in FILE, a folder of files or - for standard input.

    Password hashes go with them: bcrypt, Argon2, PBKDF2, scrypt and phpass. An address that has an account already is left alone,
    so the same command may be run again and goes on where it ended. Exit status 1 when a line was refused.

    \b
    Example:
      idp users import users.jsonl --dry-run
      idp users import export/ --from keycloak --errors refused.jsonl
    """
    if first > 1 and len(files) != 1:
        raise click.UsageError("--from-line counts in one FILE.")

    rehearsal = Rehearsal() if dry_run else None

    def taking(services: Services, source: Source) -> Take:
        importer = services.administration.imports.users
        reader = importer.reader(source, admin_roles)

        async def take(entries: Sequence[Entry]) -> Tally:
            return await importer.take(entries, source, reader, rehearsal)

        return take

    try:
        expanded = user_files.expanded(files)
    except Unreadable as fault:
        raise Stopped(str(fault)) from None
    chosen = Source(source) if source else None
    run(Wanted(files=expanded, taking=taking, source=chosen, dry_run=dry_run, errors=errors, first=first), form)
