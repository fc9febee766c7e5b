"""`idp doctor`: what is configured, what answers, what is unsafe. It looks, and starts, makes and changes nothing."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from idp.cli.environment import embeds, quiet, with_urls
from idp.cli.output import formatted, show_record, show_records
from idp.domain.diagnosis import Check, KeyFacts, Verdict
from idp.domain.errors import InvalidKeyFile
from idp.domain.signing_keys import KeySchedule
from idp.gateways.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores, StoreUrls
from idp.gateways.key_folder import KeyFolder
from idp.repositories.diagnosis import StoreExamination
from idp.services.doctor import Doctor
from idp.settings import Settings, SettingsError, load
from idp.settings.fields import SETTINGS
from idp.settings.rules import FEWEST_ROUNDS_IN_PRODUCTION
from idp.settings.setting import Setting


@dataclass(frozen=True, slots=True)
class Unsafe:
    """A setting that is a warning in development; *refused* says that production must not have it either."""

    name: str
    finding: str
    remedy: str
    chosen: Callable[[Settings], bool]
    refused: bool = False


UNSAFE = (
    Unsafe(
        "environment",
        "Development mode refuses nothing that is unsafe.",
        "Set IDP_ENV=production where others depend on this server.",
        lambda settings: settings.env == "development",
    ),
    Unsafe(
        "issuer",
        "The issuer is http: passwords and tokens travel in clear.",
        "Give IDP_ISSUER an https address.",
        lambda settings: settings.issuer.startswith("http://"),
    ),
    Unsafe(
        "stores",
        "A store is embedded: it is of this machine alone, and stops with the server.",
        "Set IDP_DATABASE_URL and IDP_REDIS_URL.",
        embeds,
    ),
    Unsafe(
        "secret",
        "The secret is a file in IDP_DATA_DIR: other nodes would not know it.",
        "Set IDP_SECRET; `openssl rand -hex 32` makes one.",
        lambda settings: not settings.secrets,
    ),
    Unsafe(
        "password hashing",
        f"Fewer than {FEWEST_ROUNDS_IN_PRODUCTION} rounds of bcrypt: stolen hashes are soon guessed.",
        "Set IDP_BCRYPT_ROUNDS=12, or leave it out.",
        lambda settings: settings.bcrypt_rounds < FEWEST_ROUNDS_IN_PRODUCTION,
    ),
    Unsafe(
        "password attempts",
        "Password attempts per network address are not limited.",
        "Leave IDP_LIMIT_LOGIN out, or give it a count and a window.",
        lambda settings: settings.limit_login is None,
    ),
    Unsafe(
        "mail",
        "There is no mail server: in production mails wait, in development they become files in IDP_DATA_DIR.",
        "Set IDP_SMTP_URL.",
        lambda settings: settings.smtp_url is None,
    ),
    Unsafe(
        "trusted proxies",
        "Everybody is a trusted proxy: whoever calls names an address of their own, and no limit holds.",
        "Give IDP_TRUSTED_PROXIES the networks of your proxies.",
        lambda settings: any(network.prefixlen == 0 for network in settings.trusted_proxies),
        refused=True,
    ),
)


@click.command("doctor")
@formatted
@click.pass_context
def command(context: click.Context, form: str) -> None:
    """
    Say what is configured, what answers, and what is unsafe. Exit status 1 when a check failed.

    \b
    Example:
      idp doctor
      idp doctor --format json
    """
    quiet()
    try:
        chosen = load(os.environ)
    except SettingsError as fault:
        checks = [Check("settings", Verdict.FAILED, line, "Change or remove it.") for line in fault.faults]
        _show([], checks, form)
    else:
        checks = [*_settings_checks(chosen), *_examined(chosen)]
        _show([_configured(chosen, setting) for setting in SETTINGS], checks, form)
    if any(check.verdict is Verdict.FAILED for check in checks):
        context.exit(1)


def _settings_checks(chosen: Settings) -> Iterator[Check]:
    yield Check("settings", Verdict.OK, "Every setting has an allowed value.")
    for unsafe in UNSAFE:
        if unsafe.chosen(chosen):
            refused = unsafe.refused and chosen.env == "production"
            yield Check(unsafe.name, Verdict.FAILED if refused else Verdict.WARNING, unsafe.finding, unsafe.remedy)


def _examined(chosen: Settings) -> list[Check]:
    doctor = Doctor(production=chosen.env == "production", now=lambda: datetime.now(UTC))
    keys = list(doctor.examine_keys(_key_facts(chosen)))
    try:
        attached = EmbeddedStores(chosen.data_dir).attach() if embeds(chosen) else None
    except (EmbeddedBusy, EmbeddedFailed, OSError) as fault:
        remedy = "Run this as the user of the server, when it has started."
        return [Check("stores", Verdict.FAILED, f"The embedded stores cannot be asked ({fault}).", remedy), *keys]
    return [*asyncio.run(_examined_stores(doctor, with_urls(chosen, attached))), *keys]


async def _examined_stores(doctor: Doctor, urls: StoreUrls) -> list[Check]:
    stores = StoreExamination(urls.database, urls.migration, urls.redis)
    database = await doctor.examine_database(stores) if urls.database else [_stopped("database", "Postgres")]
    cache = await doctor.examine_cache(stores) if urls.redis else [_stopped("redis", "Valkey")]
    return [*database, *cache]


def _stopped(name: str, store: str) -> Check:
    finding = f"The embedded {store} is not running, so it was not examined."
    return Check(name, Verdict.WARNING, finding, "Ask again while `idp serve` runs.")


def _key_facts(chosen: Settings) -> KeyFacts:
    """Read, not loaded: that would make a key where there is none."""
    now = datetime.now(UTC)
    try:
        if not chosen.keys_dir.exists():
            return KeyFacts()
        mode = stat.S_IMODE(chosen.keys_dir.stat().st_mode)
        stored = KeyFolder(chosen.keys_dir).read()
    except (InvalidKeyFile, OSError) as fault:
        return KeyFacts(fault=str(fault))
    schedule = KeySchedule((key.record for key in stored.values()), chosen.access_token_ttl)
    oldest = min(key.created_at for key in signers) if (signers := schedule.signers(now)) else None
    return KeyFacts(mode=mode, made_at=oldest if schedule.signer(now) else None)


def _configured(chosen: Settings, setting: Setting) -> dict[str, Any]:
    """As it was written, or what holds without it. Of a secret only whether it is given."""
    given = {name: os.environ.get(name, "").strip() for name in (setting.name, setting.file_name)}
    if setting.secret:
        named = next((name for name, text in given.items() if text), None)
        return {"name": setting.name, "value": "(secret)" if named else setting.unset.replace("`", ""), "from": named}
    text = given[setting.name]
    default = setting.default or getattr(chosen, setting.attribute) or setting.unset.replace("`", "")
    return {"name": setting.name, "value": text or default, "from": setting.name if text else None}


def _show(configured: list[dict[str, Any]], checks: list[Check], form: str) -> None:
    found = [
        {"check": check.name, "status": check.verdict.value, "finding": check.finding, "remedy": check.remedy or None}
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
