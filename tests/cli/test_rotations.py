"""docs/key-rotation.md, as far as it is done in a store: roles of Postgres that take turns, passwords of Valkey side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass

import asyncpg
import redis.asyncio
from program import Forked

from idp.embedded import EmbeddedStores, StoreUrls

NEW = "Another-Password-Of-A-Store"


@dataclass
class Found:
    """What `idp doctor` says of one store."""

    checks: dict[str, str]

    @classmethod
    def of(cls, program: Forked, **settings: str) -> Found:
        answer = json.loads(program("doctor", "--format", "json", **settings).out)
        return cls({check["check"]: check["status"] for check in answer["checks"]})


async def test_a_second_role_gets_its_rights_by_a_migration_that_applies_nothing(
    program: Forked, command_stores: EmbeddedStores, store_urls: StoreUrls
) -> None:
    superuser = await asyncpg.connect(command_stores.superuser_url("idp"))
    old = store_urls.database.partition("://")[2].partition("@")[0]
    serving = {"IDP_DATABASE_URL": store_urls.database.replace(old, f"idp_app_b:{NEW}", 1)}
    try:
        await superuser.execute(f"CREATE ROLE idp_app_b LOGIN PASSWORD '{NEW}'")
        await superuser.execute("GRANT CONNECT ON DATABASE idp TO idp_app_b")
        before = Found.of(program, **serving)
        migrated = program.json("db", "migrate", **serving)
        after = Found.of(program, **serving)
    finally:
        await superuser.execute("DROP OWNED BY idp_app_b")
        await superuser.execute("DROP ROLE idp_app_b")
        await superuser.close()

    assert before.checks["database"] in ("ok", "failed")
    assert "administrators" not in before.checks or before.checks["administrators"] == "failed"
    assert "0001_initial" not in json.dumps(migrated)
    assert (after.checks["database-rights"], after.checks["database-roles"]) == ("ok", "ok")
    assert after.checks["audit-trail"] == "ok"


async def test_two_passwords_of_valkey_work_until_the_old_one_is_taken_away(
    program: Forked, store_urls: StoreUrls
) -> None:
    old = store_urls.redis.partition("://:")[2].partition("@")[0]
    renewed = {"IDP_REDIS_URL": store_urls.redis.replace(old, NEW, 1)}
    async with redis.asyncio.from_url(store_urls.redis) as cache:
        await cache.execute_command("ACL", "SETUSER", "default", f">{NEW}")
        try:
            both = [Found.of(program).checks["redis"], Found.of(program, **renewed).checks["redis"]]
            await cache.execute_command("ACL", "SETUSER", "default", f"<{old}")
            alone = [Found.of(program).checks["redis"], Found.of(program, **renewed).checks["redis"]]
            still_connected = await cache.ping()
        finally:
            await cache.execute_command("ACL", "SETUSER", "default", f">{old}")
            await cache.execute_command("ACL", "SETUSER", "default", f"<{NEW}")

    assert (both, alone) == (["ok", "ok"], ["failed", "ok"])
    assert still_connected
