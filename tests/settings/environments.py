"""Environments of a server, and what comes of one: a value, or faults."""

import pytest

from idp.settings import SettingsError, load
from idp.settings.fields import SETTINGS

SECRET = "canary-secret-" + "s" * 32
OLDER_SECRET = "canary-older-" + "o" * 32
PRODUCTION = {
    "IDP_ENV": "production",
    "IDP_ISSUER": "https://id.example.com",
    "IDP_SECRET": SECRET,
    "IDP_DATABASE_URL": "postgresql://idp:canary-database@db/idp",
    "IDP_REDIS_URL": "rediss://:canary-redis@cache/0",
}
SECRETS = {
    "IDP_SECRET": SECRET,
    "IDP_ADMIN_PASSWORD": "canary-Admin-1",
    "IDP_DATABASE_URL": "postgresql://idp:canary-database@db/idp",
    "IDP_MIGRATION_DATABASE_URL": "postgresql://owner:canary-owner@db/idp",
    "IDP_DATABASE_REPLICA_URLS": "postgresql://idp:canary-replica@db2/idp",
    "IDP_REDIS_URL": "redis://:canary-redis@cache/0",
    "IDP_SMTP_URL": "smtp://idp:canary-mail@mail:587",
    "IDP_METRICS_TOKEN": "canary-metrics",
    "IDP_REGISTRATION_TOKEN": "canary-registration-of-32-letters",
    "IDP_OTEL_HEADERS": "authorization=canary-collector",
}
FOUR_KILOBYTES = "9" * 4_096


def faults(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        load(environ)
    assert str(raised.value) == "\n".join(raised.value.faults)
    return raised.value.faults


def value(name: str, text: str):
    setting = next(setting for setting in SETTINGS if setting.name == name)
    return getattr(load({name: text}), "secrets" if name == "IDP_SECRET" else setting.attribute)
