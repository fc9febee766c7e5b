"""`idp doctor`: what it finds on real stores and on this machine."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import asyncpg
from program import Answer, Forked, Forks

from idp.database.servers import credentials
from idp.domain.operation.checklist import Item
from idp.embedded import StoreUrls

PRODUCTION = {
    "IDP_ENV": "production",
    "IDP_ISSUER": "https://id.example.com",
    "IDP_SECRET": "a secret for tests that is long enough",
    "IDP_BCRYPT_ROUNDS": "10",
    "IDP_SMTP_URL": "smtps://mail.example.com",
    "IDP_TRUSTED_PROXIES": "10.0.0.0/24",
    "IDP_BRAND_NAME": "Example",
    "IDP_VERIFIED_EMAIL_REQUIRED": "true",
    "IDP_LIMIT_LOGIN_COUNTS": "failures",
}
# The stores of tests forget at a power cut; and what other tests have registered is theirs.
OF_THESE_STORES = {"database-commit", "database-timeouts", "database-connections"}
OF_OTHER_TESTS = {
    "administrators",
    "demo-clients",
    "client-addresses",
    "client-pkce",
    "password-grant",
    "privileged-clients",
}
OF_THE_MACHINE = {"workers", "memory", "disk", "open-files"}


def checks(answer: Answer) -> dict[str, dict[str, str]]:
    return {check["check"]: check for check in json.loads(answer.out)["checks"]}


def statuses(answer: Answer) -> dict[str, str]:
    return {name: check["status"] for name, check in checks(answer).items()}


async def test_a_good_installation_passes_in_production_and_no_secret_is_shown(program: Forked) -> None:
    """Every check of the checklist has a finding."""
    program("keys", "list")

    examined = program("doctor", "--format", "json", **PRODUCTION)

    found = statuses(examined)
    assert list(found) == list(Item)
    elsewhere = OF_THESE_STORES | OF_OTHER_TESTS | OF_THE_MACHINE
    assert {name: status for name, status in found.items() if status != "ok" and name not in elsewhere} == {}
    assert (found["database-commit"], examined.status) == ("unsafe", 1)
    table = program("doctor", **PRODUCTION)
    secret = [PRODUCTION["IDP_SECRET"], *(program.settings[name] for name in program.settings if name.endswith("_URL"))]
    assert not any(text in shown for text in secret for shown in (examined.out, table.out, table.err))
    assert "id.example.com" in table.out


async def test_the_owner_of_the_tables_must_not_serve_in_production(program: Forked, store_urls: StoreUrls) -> None:
    serving = {"IDP_DATABASE_URL": store_urls.migration, "IDP_MIGRATION_DATABASE_URL": ""}

    in_production = program("doctor", "--format", "json", **PRODUCTION, **serving)
    in_development = program("doctor", "--format", "json", **serving)

    assert (in_production.status, in_development.status) == (1, 0)
    assert [statuses(in_production)[name] for name in ("database-rights", "database-roles")] == ["unsafe", "unsafe"]
    assert [statuses(in_development)[name] for name in ("database-rights", "database-roles")] == ["warning", "warning"]


async def test_a_node_that_serves_need_not_know_the_owner(program: Forked) -> None:
    examined = program("doctor", "--format", "json", **PRODUCTION, IDP_MIGRATION_DATABASE_URL="")

    assert statuses(examined)["database-roles"] == "ok"


async def test_a_cache_that_forgets_and_answers_everybody_is_seen(program: Forked, store_urls: StoreUrls) -> None:
    import redis.asyncio

    async with redis.asyncio.from_url(store_urls.redis) as cache:
        password = (await cache.config_get("requirepass"))["requirepass"]
        await cache.config_set("maxmemory-policy", "allkeys-lru")
        await cache.config_set("appendonly", "no")
        await cache.config_set("requirepass", "")
        try:
            open_url = "unix://" + store_urls.redis.partition("@")[2]
            examined = program("doctor", "--format", "json", **PRODUCTION, IDP_REDIS_URL=open_url)
        finally:
            await cache.config_set("requirepass", password)
            await cache.config_set("maxmemory-policy", "noeviction")
            await cache.config_set("appendonly", "yes")

    assert examined.status == 1
    found = statuses(examined)
    assert (found["redis-eviction"], found["redis-persistence"]) == ("unsafe", "warning")
    assert found["redis-password"] == "unsafe"


async def test_stores_that_do_not_answer_fail(program: Forked) -> None:
    down = {
        "IDP_DATABASE_URL": "postgresql://idp:hidden-word@127.0.0.1:1/idp",
        "IDP_REDIS_URL": "redis://:hidden-word@127.0.0.1:1/0",
    }

    examined = program("doctor", "--format", "json", **down)

    assert examined.status == 1
    assert (statuses(examined)["database"], statuses(examined)["redis"]) == ("failed", "failed")
    assert "hidden-word" not in examined.out + examined.err


async def test_a_replica_that_is_none_or_does_not_answer_is_named_by_its_place(
    program: Forked, store_urls: StoreUrls
) -> None:
    replicas = f"{store_urls.database},postgresql://idp:hidden-word@127.0.0.1:1/idp"

    examined = program("doctor", "--format", "json", IDP_DATABASE_REPLICA_URLS=replicas)

    found = checks(examined)["database-replicas"]
    assert (found["status"], "Replica 1 is no standby" in found["finding"]) == ("warning", True)
    assert "Replica 2 does not answer" in found["finding"]
    assert "hidden-word" not in examined.out + examined.err


async def test_a_database_without_tables_fails(empty_program: Forked) -> None:
    assert statuses(empty_program("doctor", "--format", "json"))["migrations"] == "failed"


async def test_a_right_that_is_missing_is_a_finding(program: Forked, store_urls: StoreUrls) -> None:
    owner = await asyncpg.connect(**credentials(store_urls.migration))
    try:
        await owner.execute("REVOKE SELECT ON clients FROM idp_app")
        examined = program("doctor", "--format", "json")
        await owner.execute("GRANT SELECT ON clients TO idp_app")
    finally:
        await owner.close()

    assert (examined.status, statuses(examined)["administrators"]) == (1, "failed")


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
    unsafe = {"environment", "issuer", "stores", "secret", "password-hashing", "login-limit", "mail", "trusted-proxies"}
    found = {name for name, status in statuses(examined).items() if status == "warning"}
    assert found - OF_THE_MACHINE == unsafe | {"database", "redis", "keys", "metrics-token"}
    assert list(tmp_path.iterdir()) == []


SETTINGS_JUDGED = [
    ("issuer-path", "warning", {"IDP_ISSUER": "https://example.com/auth"}),
    ("issuer-path", "ok", {"IDP_ISSUER": "https://example.com/auth", "IDP_PROXY_STRIPS_PATH": "false"}),
    ("issuer-path", "ok", {"IDP_ISSUER": "https://example.com/id"}),
    ("trusted-proxies", "unsafe", {"IDP_TRUSTED_PROXIES": "10.0.0.0/8,::/0"}),
    ("trusted-proxies", "warning", {"IDP_TRUSTED_PROXIES": "192.0.0.0/7"}),
    ("trusted-proxies", "warning", {"IDP_TRUSTED_PROXIES": ""}),
    ("server", "warning", {"IDP_SERVER": "granian", "IDP_TRUSTED_PROXIES": ""}),
    ("server", "ok", {"IDP_SERVER": "granian"}),
    ("cors-origins", "warning", {"IDP_CORS_ORIGINS": "https://a.example,http://localhost:5173"}),
    ("brand", "note", {"IDP_BRAND_NAME": ""}),
    ("outgoing", "warning", {"IDP_OUTGOING_PRIVATE": "true"}),
    ("metrics-token", "warning", {"IDP_METRICS_TOKEN": "short"}),
    ("metrics-token", "warning", {"IDP_TRUSTED_PROXIES": "127.0.0.1"}),
    ("drain", "warning", {"IDP_DRAIN": "0s"}),
    ("mail-tls", "warning", {"IDP_SMTP_URL": "smtp://mail.example.com"}),
    ("mail-tls", "ok", {"IDP_SMTP_URL": "smtp://user:word@mail.example.com"}),
    ("secret", "unsafe", {"IDP_SECRET": "ab" * 20}),
    ("secret-rotation", "warning", {"IDP_SECRET": ",".join(f"{letter}bcdefghijklmnopqrstuvwxyz-0123456789" for letter in "XYZ")}),
    ("password-hashing", "note", {"IDP_BCRYPT_ROUNDS": "15"}),
    ("lockout", "warning", {"IDP_LOCKOUT_ATTEMPTS": "1000"}),
    ("lockout", "warning", {"IDP_LOCKOUT_DURATION": "10s"}),
    ("login-limit", "warning", {"IDP_LIMIT_LOGIN": "off"}),
    ("login-limit", "note", {"IDP_LIMIT_LOGIN_COUNTS": ""}),
    ("other-limits", "warning", {"IDP_LIMIT_AUTHORIZE": "off"}),
    ("token-lifetimes", "warning", {"IDP_ACCESS_TOKEN_TTL": "12h"}),
    ("token-lifetimes", "warning", {"IDP_REFRESH_GRACE": "5m"}),
    ("token-lifetimes", "note", {"IDP_REFRESH_TOKEN_TTL": "365d"}),
    ("browser-sessions", "note", {"IDP_SESSION_TTL": "30d"}),
    ("verified-email", "note", {"IDP_VERIFIED_EMAIL_REQUIRED": ""}),
    ("client-registration", "note", {"IDP_REGISTRATION_TOKEN": "r" * 32}),
    ("workers", "warning", {"IDP_WORKERS": "512"}),
    ("database-connections", "warning", {"IDP_WORKERS": "64"}),
    ("audit-retention", "warning", {"IDP_AUDIT_RETENTION": "30d"}),
]  # fmt: skip


async def test_settings_are_judged(program: Forked) -> None:
    """All at once where they do not touch the same setting: each command costs a quarter of a second."""
    wrong = []
    for batch in apart(SETTINGS_JUDGED):
        together = {name: value for _, _, settings in batch for name, value in settings.items()}
        found = statuses(program("doctor", "--format", "json", **PRODUCTION | together))
        wrong += [(item, verdict, found[item]) for item, verdict, _ in batch if found[item] != verdict]

    assert wrong == []


def apart(judged: list[tuple[str, str, dict[str, str]]]) -> list[list[tuple[str, str, dict[str, str]]]]:
    batches: list[list[tuple[str, str, dict[str, str]]]] = []
    for line in judged:
        for batch in batches:
            if not any(line[0] == other[0] or line[2].keys() & other[2].keys() for other in batch):
                batch.append(line)
                break
        else:
            batches.append([line])
    return batches


async def test_who_may_write_files_of_secrets_and_pages_is_seen(program: Forked, tmp_path: Path) -> None:
    secret, templates, keys = tmp_path / "secret", tmp_path / "templates", tmp_path / "keys"
    secret.write_text(secrets.token_hex(32))
    secret.chmod(0o666)
    templates.mkdir()
    templates.chmod(0o777)
    keys.mkdir()
    keys.chmod(0o777)
    settings = {
        **PRODUCTION,
        "IDP_SECRET": "",
        "IDP_SECRET_FILE": str(secret),
        "IDP_TEMPLATES_DIR": str(templates),
        "IDP_KEYS_DIR": str(keys),
    }

    found = statuses(program("doctor", "--format", "json", **settings))
    secret.chmod(0o444)
    readable = statuses(program("doctor", "--format", "json", **settings))

    assert (found["secret-files"], found["templates"], found["keys"]) == ("unsafe", "unsafe", "warning")
    assert readable["secret-files"] == "note"


async def test_clients_that_production_should_not_have_are_named(program: Forked) -> None:
    program.json("clients", "create", "--id", "demo-app", "--name", "Demo", "--grant", "client_credentials")
    program.json(
        "clients", "create", "--id", "lax-app", "--name", "Lax", "--public", "--grant", "password",
        "--grant", "refresh_token", "--redirect-uri", "http://localhost:3000/cb",
    )  # fmt: skip
    program.json(
        "clients", "create", "--id", "old-app", "--name", "Old", "--grant", "authorization_code", "--no-pkce",
        "--redirect-uri", "https://old.example/cb", "--scope", "openid idp:account",
    )  # fmt: skip
    program.json(
        "clients", "create", "--id", "console", "--name", "Console", "--grant", "authorization_code",
        "--redirect-uri", "https://console.example/cb", "--scope", "openid idp:admin",
    )  # fmt: skip

    found = checks(program("doctor", "--format", "json", **PRODUCTION))
    for client_id in ("demo-app", "lax-app", "old-app", "console"):
        program("clients", "delete", client_id, "--yes")

    assert (found["demo-clients"]["status"], found["client-pkce"]["status"]) == ("unsafe", "warning")
    assert (found["client-addresses"]["status"], found["password-grant"]["status"]) == ("warning", "warning")
    assert "lax-app" in found["client-addresses"]["finding"]
    assert "lax-app" in found["password-grant"]["finding"]
    assert "old-app" in found["client-pkce"]["finding"]
    assert found["privileged-clients"]["status"] == "note"
    assert "idp:admin: console; Clients registered for idp:account: old-app." in found["privileged-clients"]["finding"]


async def test_the_password_of_the_beginning_must_not_stay(program: Forked) -> None:
    first = {"IDP_ADMIN_EMAIL": "first@example.com", "IDP_ADMIN_PASSWORD": "Correct-Horse-7"}
    program.json(
        "users", "create", "--email", "first@example.com", "--name", "First", "--role", "ADMIN", "--password-stdin",
        typed="Correct-Horse-7",
    )  # fmt: skip

    kept = program("doctor", "--format", "json", **PRODUCTION, **first)
    changed = program("doctor", "--format", "json", **PRODUCTION, **first | {"IDP_ADMIN_PASSWORD": "Another-Horse-8"})
    program("users", "create", "--email", "second@example.com", "--name", "Second", "--role", "ADMIN")
    program("users", "set-role", "first@example.com", "USER")

    assert (statuses(kept)["admin-password"], statuses(changed)["admin-password"]) == ("unsafe", "note")
    assert "Correct-Horse-7" not in kept.out


async def test_a_changed_row_of_the_trail_is_seen(program: Forked, store_urls: StoreUrls) -> None:
    program("clients", "create", "--id", "trailed", "--name", "Trailed", "--grant", "client_credentials")
    program("clients", "delete", "trailed", "--yes")
    owner = await asyncpg.connect(**credentials(store_urls.migration))
    newest = "(SELECT id FROM audit.events ORDER BY day DESC, seq DESC LIMIT 1)"
    try:
        before = await owner.fetchval(f"UPDATE audit.events e SET name = 'x' WHERE id = {newest} RETURNING "
                                      f"(SELECT name FROM audit.events o WHERE o.id = e.id)")  # fmt: skip
        examined = program("doctor", "--format", "json")
        await owner.execute(f"UPDATE audit.events SET name = $1 WHERE id = {newest}", before)
    finally:
        await owner.close()

    assert (examined.status, statuses(examined)["audit-trail"]) == (1, "failed")


async def test_the_rights_of_the_runtime_role_are_read_as_they_are(program: Forked, command_stores, store_urls) -> None:
    owner = await asyncpg.connect(**credentials(store_urls.migration))
    try:
        await owner.execute("GRANT UPDATE ON audit.events TO idp_app")
        examined = program("doctor", "--format", "json")
        await owner.execute("REVOKE UPDATE ON audit.events FROM idp_app")
    finally:
        await owner.close()

    assert "can rewrite the audit trail" in examined.out
