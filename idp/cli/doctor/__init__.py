"""
`idp doctor`: what is configured, what answers, what is unsafe. It looks, and starts, makes and changes nothing.

    serving, signing_in, secret   judge the settings alone
    machine                       judges them beside what this machine has
    keys, stores                  gather the facts that `idp.services.operation.doctor` judges
    report                        shows it
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from idp.cli.doctor import keys, machine, report, secret, serving, signing_in, stores
from idp.cli.environment import quiet
from idp.cli.output import formatted
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict
from idp.services.operation.doctor import examine_keys
from idp.settings import Settings, SettingsError, load

REFUSED = (Verdict.UNSAFE, Verdict.FAILED)


@click.command("doctor")
@formatted
@click.pass_context
def command(context: click.Context, form: str) -> None:
    """
    Say what is configured, what answers, and what is unsafe: the checks of docs/production.md.

    Exit status 1 when something does not work, or is what production must not have. What is unsafe in production is a
    warning in development.

    \b
    Example:
      idp doctor
      idp doctor --format json
    """
    quiet()
    try:
        chosen = load(os.environ)
    except SettingsError as faults:
        checks = [Check(Item.SETTINGS, Verdict.FAILED, line, "Change or remove it.") for line in faults.faults]
        report.show(None, checks, form)
    else:
        production = chosen.env == "production"
        checks = report.in_order(check.weighed(production=production) for check in _checks(chosen))
        report.show(chosen, checks, form)
    if any(check.verdict in REFUSED for check in checks):
        context.exit(1)


def _checks(chosen: Settings) -> Iterator[Check]:
    yield Check(Item.SETTINGS, Verdict.OK, "Every setting has an allowed value.")
    for table in (serving.TABLE, signing_in.TABLE):
        yield from (line.judged(chosen) for line in table)
    yield from secret.judged(chosen)
    yield from machine.judged(chosen)
    yield from examine_keys(keys.facts(chosen), datetime.now(UTC))
    yield from stores.examined(chosen)
