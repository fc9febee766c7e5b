"""`idp db`: the tables and their migrations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import click
from tortoise.exceptions import BaseORMException

from idp.cli.db_backup import dump, restore
from idp.cli.environment import Stopped, quiet, refusals, settings, stores
from idp.cli.output import TEXT, formatted, show_record, show_records
from idp.cli.preparation import migrate as bring_up
from idp.database import migration
from idp.database.migration import Step
from idp.embedded import StoreUrls

Result = TypeVar("Result")

NOTHING = "zero"


@click.group("db")
def command() -> None:
    """
    Migrate the database, back it up.

    \b
    Example:
      idp db status
      idp db migrate
    """


command.add_command(dump)
command.add_command(restore)


@command.command("migrate")
@formatted
def migrate(form: str) -> None:
    """
    Bring the database to the newest step. Any number of nodes may do so at once, while others serve.

    \b
    Example:
      idp db migrate
    """
    applied = _on_database(lambda urls: bring_up(urls, settings().audit_retention))
    if form == "json":
        show_record({"applied": applied}, form)
        return
    for name in applied:
        click.echo(f"Applied {name}")
    if not applied:
        click.echo("Nothing to apply: the database is at the newest step.")


@command.command("status")
@formatted
@click.pass_context
def status(context: click.Context, form: str) -> None:
    """
    List every step and whether the database has it. Exit status 1 when one is missing.

    \b
    Example:
      idp db status --format json
    """
    steps = _on_database(lambda urls: migration.status(urls.database))
    show_records([{"step": step.name, "applied": step.applied} for step in steps], form, ("step", "applied"))
    if not all(step.applied for step in steps):
        click.echo("Steps are missing: run `idp db migrate`.", err=True)
        context.exit(1)


@command.command("downgrade")
@click.option(
    "--to", type=TEXT, metavar="STEP", help=f"Stays; what came after it is undone. `{NOTHING}`: no step stays."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@formatted
def downgrade(to: str | None, yes: bool, form: str) -> None:
    """
    Undo the newest step, or every step after STEP. The data that those steps hold are lost.

    \b
    Example:
      idp db downgrade --to 0001_initial
    """

    async def undo(urls: StoreUrls) -> list[str]:
        stays, undone = _plan(await migration.status(urls.database), to)
        if not yes:
            question = f"Undo {', '.join(undone)}, and lose the data in what they made?"
            click.confirm(question, abort=True, err=True)
        await migration.downgrade(urls.migration, stays)
        return undone

    undone = _on_database(undo)
    if form == "json":
        show_record({"undone": undone}, form)
        return
    for name in undone:
        click.echo(f"Undone {name}")


def _plan(steps: Sequence[Step], to: str | None) -> tuple[str | None, list[str]]:
    """The step that stays, None for none, and those that go, the newest first."""
    applied = [step.name for step in steps if step.applied]
    if not applied:
        raise Stopped("the database has no step to undo")
    if to is None:
        to = applied[-2] if len(applied) > 1 else NOTHING
    if to != NOTHING and to not in [step.name for step in steps]:
        raise click.BadParameter(f"there is no step {to}; `idp db status` lists them", param_hint="--to")
    undone = [name for name in reversed(applied) if to == NOTHING or name > to]
    if not undone:
        raise Stopped(f"nothing was applied after {to}")
    return (None if to == NOTHING else to), undone


def _on_database(work: Callable[[StoreUrls], Awaitable[Result]]) -> Result:
    async def whole(urls: StoreUrls) -> Result:
        return await work(urls)

    quiet()
    with stores(settings()) as urls, refusals():
        try:
            return asyncio.run(whole(urls))
        except migration.NewerSchema as fault:
            raise Stopped(str(fault)) from None
        except asyncpg.LockNotAvailableError:
            raise Stopped(
                "a long transaction holds a table that the next step changes; nothing is half done: "
                "end that transaction (pg_stat_activity shows it) and run this again"
            ) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BaseORMException) as fault:
            # The driver's text may hold a row or the address of the store, so only the class is told.
            cause = fault.__cause__ or fault
            raise Stopped(f"the database did not do it: {type(cause).__name__}") from None
