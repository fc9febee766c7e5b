"""What the examination found, as a table for people or JSON for programs. Of a secret only whether it is given."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from idp.cli.output import show_record, show_records
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict
from idp.settings import Settings
from idp.settings.fields import SETTINGS
from idp.settings.setting import Setting

ORDER = {item: place for place, item in enumerate(Item)}


def in_order(checks: Iterable[Check]) -> list[Check]:
    """That of the checklist."""
    return sorted(checks, key=lambda check: ORDER[check.name])


def show(chosen: Settings | None, checks: list[Check], form: str) -> None:
    """*chosen* None: they cannot be read."""
    configured = [_configured(chosen, setting) for setting in SETTINGS] if chosen else []
    found = [
        {
            "check": check.name.value,
            "status": check.verdict.value,
            "finding": check.finding,
            "remedy": check.remedy or None,
        }
        for check in checks
    ]
    if form == "json":
        worst = max((check.verdict for check in checks), key=list(Verdict).index)
        show_record({"status": worst.value, "settings": configured, "checks": found}, form)
        return
    if configured:
        show_records(configured, form, ("name", "value", "from"))
        click.echo()
    show_records(found, form, ("status", "check", "finding", "remedy"))
    click.echo(f"\n{_counted(checks)} docs/production.md says why each is looked at.")


def _counted(checks: list[Check]) -> str:
    counts = Counter(check.verdict for check in checks)
    return ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in reversed(Verdict) if counts[verdict]) + "."


def _configured(chosen: Settings, setting: Setting) -> dict[str, Any]:
    """As it was written, or what holds without it."""
    given = {name: os.environ.get(name, "").strip() for name in (setting.name, setting.file_name)}
    if setting.secret:
        named = next((name for name, text in given.items() if text), None)
        return {"name": setting.name, "value": "(secret)" if named else setting.unset.replace("`", ""), "from": named}
    text = given[setting.name]
    derived = getattr(chosen, setting.attribute, None)  # such as the issuer, from IDP_BIND
    unset = derived if isinstance(derived, str) else setting.unset.replace("`", "")
    return {"name": setting.name, "value": text or setting.default or unset, "from": setting.name if text else None}
