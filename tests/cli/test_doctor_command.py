"""`idp doctor`: what it finds on real stores, and how it judges facts that no store here has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from program import Answer, Forked, Forks

from idp.database.servers import credentials
from idp.domain.diagnosis import CacheFacts, DatabaseFacts, KeyFacts, Rights, Stores, Verdict
from idp.domain.errors import StoreUnavailable
from idp.gateways.embedded import StoreUrls
from idp.services.doctor import Doctor

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NONE = timedelta(0)
DATABASE = DatabaseFacts(
    role="app",
    version=18,
    clock_ahead=NONE,
    missing_steps=(),
    rights=Rights(superuser=False, changes_tables=False, rewrites_trail=False),
)
CACHE = CacheFacts(version="8.0.1", clock_ahead=NONE, maxmemory_policy="noeviction", appends=True)
KEYS = KeyFacts(mode=0o700, made_at=NOW - timedelta(days=30))

PRODUCTION = {
    "IDP_ENV": "production",
    "IDP_ISSUER": "https://id.example.com",
    "IDP_SECRET": "a secret for tests that is long enough",
    "IDP_BCRYPT_ROUNDS": "12",
    "IDP_SMTP_URL": "smtps://mail.example.com",
}


def statuses(answer: Answer) -> dict[str, str]:
    import json

    return {check["check"]: check["status"] for check in json.loads(answer.out)["checks"]}


async def test_a_good_installation_passes_in_production_and_no_secret_is_shown(program: Forked) -> None:
    program("keys", "list")

    examined = program("doctor", "--format", "json", **PRODUCTION)

    assert examined.status == 0
    assert set(statuses(examined).values()) == {"ok"}
    assert {"database", "migrations", "database rights", "redis eviction", "signing key"} <= statuses(examined).keys()
    table = program("doctor", **PRODUCTION)
    secret = [PRODUCTION["IDP_SECRET"], *(program.settings[name] for name in program.settings if name.endswith("_URL"))]
    assert not any(text in shown for text in secret for shown in (examined.out, table.out, table.err))
    assert "id.example.com" in table.out


async def test_the_owner_of_the_tables_must_not_serve_in_production(program: Forked, store_urls: StoreUrls) -> None:
    serving = {"IDP_DATABASE_URL": store_urls.migration, "IDP_MIGRATION_DATABASE_URL": ""}

    in_production = program("doctor", "--format", "json", **PRODUCTION, **serving)
    in_development = program("doctor", "--format", "json", **serving)

    assert (in_production.status, in_development.status) == (1, 0)
    assert [statuses(in_production)[name] for name in ("database rights", "database roles")] == ["failed", "failed"]
    assert [statuses(in_development)[name] for name in ("database rights", "database roles")] == ["warning", "warning"]


async def test_a_cache_that_forgets_is_seen(program: Forked, store_urls: StoreUrls) -> None:
    import redis.asyncio

    async with redis.asyncio.from_url(store_urls.redis) as cache:
        await cache.config_set("maxmemory-policy", "allkeys-lru")
        await cache.config_set("appendonly", "no")
        try:
            examined = program("doctor", "--format", "json", **PRODUCTION)
        finally:
            await cache.config_set("maxmemory-policy", "noeviction")
            await cache.config_set("appendonly", "yes")

    assert examined.status == 1
    assert statuses(examined)["redis eviction"] == "failed"
    assert statuses(examined)["redis persistence"] == "warning"


async def test_stores_that_do_not_answer_fail(program: Forked) -> None:
    down = {
        "IDP_DATABASE_URL": "postgresql://idp:hidden-word@127.0.0.1:1/idp",
        "IDP_REDIS_URL": "redis://127.0.0.1:1/0",
    }

    examined = program("doctor", "--format", "json", **down)

    assert examined.status == 1
    assert (statuses(examined)["database"], statuses(examined)["redis"]) == ("failed", "failed")
    assert "hidden-word" not in examined.out + examined.err


async def test_a_database_without_tables_fails(empty_program: Forked) -> None:
    assert statuses(empty_program("doctor", "--format", "json"))["migrations"] == "failed"


def test_faults_of_the_settings_are_failed_checks_each(tmp_path: Path, forks: Forks) -> None:
    faulty = {"IDP_ISUER": "x", "IDP_WORKERS": "many", "IDP_SECRET": "short-secret"}

    examined = Forked(tmp_path, faulty, forks=forks)("doctor", "--format", "json")

    assert examined.status == 1
    assert examined.out.count('"failed"') == 4  # one each, and the whole
    assert all(name in examined.out for name in faulty)
    assert "short-secret" not in examined.out


def test_what_is_unsafe_in_development_is_named_and_nothing_is_started_or_made(tmp_path: Path, forks: Forks) -> None:
    settings = {
        "IDP_TRUSTED_PROXIES": "0.0.0.0/0",
        "IDP_LIMIT_LOGIN": "off",
        "IDP_DATA_DIR": str(tmp_path / "data"),
        "IDP_KEYS_DIR": str(tmp_path / "keys"),
    }

    examined = Forked(tmp_path, settings, forks=forks)("doctor", "--format", "json")

    assert examined.status == 0
    unsafe = {
        "environment",
        "issuer",
        "stores",
        "secret",
        "password hashing",
        "password attempts",
        "mail",
        "trusted proxies",
    }
    assert unsafe | {"database", "redis", "keys"} == {
        name for name, status in statuses(examined).items() if status == "warning"
    }
    assert list(tmp_path.iterdir()) == []


async def test_wildcard_proxies_fail_in_production(program: Forked) -> None:
    examined = program("doctor", "--format", "json", **PRODUCTION, IDP_TRUSTED_PROXIES="10.0.0.0/8,::/0")

    assert statuses(examined)["trusted proxies"] == "failed"


class Told(Stores):
    """Stores that tell these facts. Not a store of ours: nothing is kept."""

    def __init__(
        self, database: DatabaseFacts = DATABASE, cache: CacheFacts = CACHE, owner: str | None = "owner"
    ) -> None:
        self._database, self._cache, self._owner = database, cache, owner

    async def database(self) -> DatabaseFacts:
        return self._database

    async def migrating_role(self) -> str:
        if self._owner is None:
            raise StoreUnavailable(reason="postgres: TimeoutError")
        return self._owner

    async def cache(self) -> CacheFacts:
        return self._cache


async def judged(stores: Stores, name: str, *, production: bool = True) -> Verdict:
    doctor = Doctor(production=production, now=lambda: NOW)
    checks = [*await doctor.examine_database(stores), *await doctor.examine_cache(stores)]
    return next(check.verdict for check in checks if check.name == name)


@pytest.mark.parametrize(
    ("stores", "name", "verdict"),
    [
        (Told(), "database", Verdict.OK),
        (Told(replace(DATABASE, version=14)), "database", Verdict.FAILED),
        (Told(replace(DATABASE, clock_ahead=timedelta(seconds=-5))), "database clock", Verdict.WARNING),
        (Told(replace(DATABASE, clock_ahead=timedelta(seconds=40))), "database clock", Verdict.FAILED),
        (Told(replace(DATABASE, rights=replace(DATABASE.rights, superuser=True))), "database rights", Verdict.FAILED),
        (
            Told(replace(DATABASE, rights=replace(DATABASE.rights, rewrites_trail=True))),
            "database rights",
            Verdict.FAILED,
        ),
        (Told(owner=None), "database roles", Verdict.WARNING),
        (Told(cache=replace(CACHE, version="6.2.0")), "redis", Verdict.FAILED),
        (Told(cache=replace(CACHE, maxmemory_policy=None)), "redis eviction", Verdict.WARNING),
        (Told(cache=replace(CACHE, clock_ahead=timedelta(minutes=2))), "redis clock", Verdict.FAILED),
    ],
)
async def test_facts_of_stores_are_judged(stores: Stores, name: str, verdict: Verdict) -> None:
    assert await judged(stores, name) is verdict


@pytest.mark.parametrize(
    ("keys", "verdicts"),
    [
        (KEYS, {"keys": "ok", "signing key": "ok"}),
        (replace(KEYS, made_at=NOW - timedelta(days=400)), {"keys": "ok", "signing key": "warning"}),
        (replace(KEYS, mode=0o770), {"keys": "failed", "signing key": "ok"}),
        (KeyFacts(), {"keys": "warning"}),
        (KeyFacts(mode=0o700, fault="keys/x.json: is damaged."), {"keys": "failed"}),
    ],
)
def test_facts_of_keys_are_judged(keys: KeyFacts, verdicts: dict[str, str]) -> None:
    checks = Doctor(production=True, now=lambda: NOW).examine_keys(keys)

    assert {check.name: check.verdict.value for check in checks} == verdicts


async def test_the_rights_of_the_runtime_role_are_read_as_they_are(program: Forked, command_stores, store_urls) -> None:
    owner = await asyncpg.connect(**credentials(store_urls.migration))
    try:
        await owner.execute("GRANT UPDATE ON audit.events TO idp_app")
        examined = program("doctor", "--format", "json")
        await owner.execute("REVOKE UPDATE ON audit.events FROM idp_app")
    finally:
        await owner.close()

    assert "can rewrite the audit trail" in examined.out
