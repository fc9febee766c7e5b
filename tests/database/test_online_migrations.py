"""Every step may run while the release before it serves, or says why not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from online_rules import IN_A_TRANSACTION, RULES, broken
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor

from idp.database import migration
from idp.database.postgres import tortoise_config
from idp.database.servers import Servers

# Of before there was a release that they could have stopped.
BEFORE_THE_FIRST_RELEASE = {"0001_initial", "0002_accounts_limits_chain", "0003_hosted_login"}
STEPS = migration.known_steps()


def module(step: str) -> ModuleType:
    return import_module(f"{migration.package()}.{step}")


async def statements(step: str) -> list[str]:
    """What it sends. Nothing is connected to."""
    config: dict[str, Any] = tortoise_config(Servers("postgresql://nobody@nowhere/none"), 1)
    config["apps"]["idp"]["migrations"] = migration.package()
    async with TortoiseContext() as context:
        await context.init(config=config)
        executor = MigrationExecutor(get_connection("default"), {"idp": config["apps"]["idp"]})
        return await executor.collect_sql("idp", step)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_keeps_the_rules_or_says_why_not(step: str) -> None:
    found = broken(await statements(step), atomic=module(step).Migration.atomic)
    allowed: dict[str, str] = getattr(module(step), "ALLOWED", {})

    assert all(reason.strip() for reason in allowed.values())
    assert set(allowed) <= found, "ALLOWED names what the step does not do"
    if step not in BEFORE_THE_FIRST_RELEASE:
        assert found <= set(allowed), "see docs/upgrades.md"


async def test_the_steps_are_read() -> None:
    assert broken(await statements("0003_hosted_login"), atomic=True) != set()


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ('ALTER TABLE "users" ADD "nickname" TEXT', set()),
        ("ALTER TABLE users ADD COLUMN nickname text NOT NULL DEFAULT ''", set()),
        ("ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID", set()),
        ("ALTER TABLE users VALIDATE CONSTRAINT named", set()),
        ("ALTER TABLE users ADD CONSTRAINT one UNIQUE USING INDEX one_index", set()),
        ("ALTER TABLE users DROP CONSTRAINT named; ALTER TABLE users ALTER COLUMN name DROP NOT NULL", set()),
        ("CREATE TABLE pets (id int); CREATE INDEX pets_by_id ON pets (id); UPDATE pets SET id = 1", set()),
        ("CREATE FUNCTION f() RETURNS void AS $x$ BEGIN DELETE FROM users; END $x$", set()),
        ("-- DROP TABLE users\nSELECT 1", set()),
        ("DROP TABLE users", {"drops a table"}),
        ('ALTER TABLE "users" DROP COLUMN "name" CASCADE', {"drops a column"}),
        ('ALTER TABLE "users" RENAME COLUMN "name" TO "nickname"', {"renames"}),
        ("ALTER TABLE public.users RENAME TO people", {"renames"}),
        ("ALTER TABLE users ALTER COLUMN auth_epoch TYPE bigint", {"changes a type"}),
        ("ALTER TABLE users ALTER COLUMN claims DROP DEFAULT", {"drops a default"}),
        ("alter table users\n alter column name set not null", {"sets NOT NULL"}),
        ("ALTER TABLE users ADD COLUMN nickname text NOT NULL", {"adds NOT NULL without a default"}),
        ("ALTER TABLE users ADD tag uuid DEFAULT gen_random_uuid()", {"adds a default that rewrites"}),
        ("ALTER TABLE users ADD COLUMN tag text UNIQUE", {"adds a unique or referring column"}),
        ("ALTER TABLE users ADD boss uuid REFERENCES users (id)", {"adds a unique or referring column"}),
        ("ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '')", {"checks every row"}),
        ("ALTER TABLE users ADD CONSTRAINT one UNIQUE (name)", {"builds an index under a lock"}),
        ('CREATE INDEX "by_name" ON "users" ("name")', {"indexes without CONCURRENTLY"}),
        ("CREATE UNIQUE INDEX IF NOT EXISTS by_name ON audit.events (name)", {"indexes without CONCURRENTLY"}),
        ("CREATE INDEX CONCURRENTLY by_name ON users (name)", {IN_A_TRANSACTION}),
        ("UPDATE users SET name = ''", {"writes every row"}),
        ("LOCK TABLE users", {"locks a table"}),
        ("CREATE TRIGGER t BEFORE INSERT ON users EXECUTE FUNCTION f()", {"adds a trigger"}),
    ],
)
def test_what_stops_traffic_or_the_release_before_is_found(sql: str, rules: set[str]) -> None:
    assert broken([sql], atomic=True) == rules


def test_every_rule_is_tried() -> None:
    tried = test_what_stops_traffic_or_the_release_before_is_found.pytestmark[0].args[1]

    assert set(RULES) == set().union(*(rules for _, rules in tried)) - {IN_A_TRANSACTION}
