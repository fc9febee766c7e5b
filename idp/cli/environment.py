"""What every command needs: the settings, the stores (configured, embedded here, or of a server that runs), the services."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from idp.domain.audit.events import Origin, origin
from idp.domain.errors import InvalidKeyFile, Refusal, ValidationFailed
from idp.domain.operation.legible import legible
from idp.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores, StoreUrls
from idp.gateways import log_lines
from idp.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from idp.bootstrap import Services

Result = TypeVar("Result")


class Stopped(click.ClickException):
    """Not possible now: exit status 1. The text may hold names from a file or a store."""

    exit_code = 1

    def format_message(self) -> str:
        return legible(self.message, keep="\n")


class Misconfigured(click.ClickException):
    exit_code = 2


def settings() -> Settings:
    try:
        return load(os.environ)
    except SettingsError as faults:
        raise Misconfigured(f"the settings have faults:\n{faults}") from None


def embeds(chosen: Settings) -> bool:
    return chosen.database_url is None or chosen.redis_url is None


def with_urls(chosen: Settings, embedded: StoreUrls | None) -> StoreUrls:
    """The configured stores, and the embedded ones in place of those that are not configured."""
    database = chosen.database_url or (embedded.database if embedded else "")
    fallback = database if chosen.database_url or embedded is None else embedded.migration
    redis = chosen.redis_url or (embedded.redis if embedded else "")
    return StoreUrls(database, chosen.migration_database_url or fallback, redis)


@contextmanager
def stores(chosen: Settings) -> Iterator[StoreUrls]:
    """For one command: those of a server that runs on the same folder, else started for as long as the command takes."""
    if not embeds(chosen):
        yield with_urls(chosen, None)
        return
    embedded = EmbeddedStores(chosen.data_dir)
    try:
        attached = embedded.attach()
        urls = with_urls(chosen, attached or embedded.start())
    except (EmbeddedBusy, EmbeddedFailed) as fault:
        raise Stopped(str(fault)) from None
    try:
        yield urls
    finally:
        embedded.stop()


def with_services(work: Callable[[Services], Awaitable[Result]]) -> Result:
    """Runs *work* over open services. A refusal becomes the command's error text and exit status 1."""
    # One process' worth of work: no pool of connections to keep, no other worker to leave cores to.
    chosen = replace(settings(), workers=1)
    quiet()
    origin.set(Origin(actor=f"cli:{os.environ.get('USER') or os.getuid()}"))

    async def whole(urls: StoreUrls) -> Result:
        # Imported here: `--help` and what needs no services start in half the time without them.
        from idp.bootstrap import running

        await _ensure_tables(chosen, urls)
        async with running(chosen, urls, delivers=False) as services:
            return await work(services)

    with stores(chosen) as urls, refusals():
        return asyncio.run(whole(urls))


def quiet() -> None:
    """Standard output is the command's answer; of the log only errors are shown, on standard error."""
    log_lines.configure(pretty=True, level=logging.ERROR, to_stderr=True)


async def _ensure_tables(chosen: Settings, urls: StoreUrls) -> None:
    """An embedded database that is new gets its tables; what any other one lacks is left to who operates it."""
    from idp.cli.preparation import migrate
    from idp.database import migration

    steps = await migration.status(urls.database)
    lacking = [step.name for step in steps if not step.applied]
    if lacking and chosen.database_url is None and len(lacking) == len(steps):
        await migrate(urls, chosen.audit_retention)
    elif lacking:
        raise Stopped(f"the database lacks {', '.join(lacking)}: run `idp db migrate`")


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except ValidationFailed as refusal:
        raise Stopped("\n".join(f"{fault.field}: {fault.message}" for fault in refusal.errors)) from None
    except Refusal as refusal:
        raise Stopped(refusal.detail if refusal.status < 500 else f"{refusal.detail} ({refusal})") from None
    except InvalidKeyFile as fault:
        raise Stopped(str(fault)) from None
