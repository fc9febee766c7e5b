"""`idp users export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli.line_export import Export, run, written_to
from idp.cli.output import formatted

if TYPE_CHECKING:
    from idp.domain.accounts.transfers import ExportedUser


@click.command("export")
@click.option("--with-password-hashes", is_flag=True, help="So that users can sign in where it is imported.")
@written_to
@formatted
def export_users(with_password_hashes: bool, output: str | None, form: str) -> None:
    """
    Write every account as a JSON line, the oldest first: what `idp users import` reads.

    Without password hashes, unless they are asked for: who has them can try passwords at leisure.

    \b
    Example:
      idp users export > users.jsonl
      idp users export --with-password-hashes --output users.jsonl
    """
    from idp.services.accounts.imports.user_lines import line_of

    def line(exported: ExportedUser) -> dict[str, Any]:
        return line_of(exported.user, exported.password_hash if with_password_hashes else None)

    run(Export("users", lambda exports: exports.users(), line), output, form)
