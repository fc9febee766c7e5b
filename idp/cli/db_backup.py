"""`idp db dump` and `idp db restore`: a backup of the database, the embedded one of a server that runs included."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import click

from idp.cli.environment import Stopped, quiet, refusals, settings, stores
from idp.cli.output import formatted, show_record
from idp.database import migration
from idp.database.servers import credentials
from idp.gateways import postgres_tools
from idp.gateways.postgres_tools import ToolFailed


@click.command("dump")
@click.argument("file", type=click.Path(dir_okay=False))
@formatted
def dump(file: str, form: str) -> None:
    """
    Write everything that is in the database to FILE, readable by you alone, as of one instant. The server goes on meanwhile.

    It is what `pg_dump --format=custom` writes. Keep it with IDP_SECRET and the keys: see docs/backup.md.

    \b
    Example:
      idp db dump idp-2026-01-31.dump
    """
    unfinished = Path(f"{file}.{os.getpid()}.part")
    quiet()
    try:
        with (
            stores(settings()) as urls,
            os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
        ):
            postgres_tools.dump(credentials(urls.migration), to)
            to.flush()
            os.fsync(to.fileno())
        unfinished.replace(file)
    except ToolFailed as fault:
        raise Stopped(str(fault)) from None
    except OSError as fault:
        raise Stopped(f"{file}: {fault.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    show_record({"file": file, "bytes": Path(file).stat().st_size}, form)


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@formatted
def restore(file: str, form: str) -> None:
    """
    Bring what `idp db dump` wrote to FILE into an empty database: all of it or nothing. Then start the server.

    A dump of an older release is brought to the newest step by `idp db migrate` afterwards.

    \b
    Example:
      idp db restore idp-2026-01-31.dump
    """
    quiet()
    with stores(settings()) as urls, refusals():
        steps = asyncio.run(migration.status(urls.database))
        if any(step.applied for step in steps):
            raise Stopped("the database is not empty: restore into one that was never migrated")
        try:
            postgres_tools.restore(credentials(urls.migration), Path(file))
        except ToolFailed as fault:
            raise Stopped(str(fault)) from None
        steps = asyncio.run(migration.status(urls.database))
    show_record({"restored": file, "lacks": [step.name for step in steps if not step.applied]}, form)
