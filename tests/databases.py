"""Databases beside the one that the tests of a process share."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from idp.embedded import EmbeddedStores, StoreUrls


@asynccontextmanager
async def empty_database(embedded: EmbeddedStores, urls: StoreUrls) -> AsyncIterator[StoreUrls]:
    """URLs of a new database of the same server, with the same roles, not migrated; gone at the end of the block."""
    name = f"empty_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(embedded.superuser_url())
    try:
        await admin.execute(f"CREATE DATABASE {name} OWNER idp_owner")
        inside = await asyncpg.connect(embedded.superuser_url(name))
        await inside.execute("ALTER SCHEMA public OWNER TO idp_owner; GRANT USAGE ON SCHEMA public TO idp_app")
        await inside.close()
        database, migration = (url.replace("/idp?", f"/{name}?") for url in (urls.database, urls.migration))
        yield StoreUrls(database, migration, urls.redis)
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()
