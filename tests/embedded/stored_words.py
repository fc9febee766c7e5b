"""What the embedded stores say and keep."""

import asyncpg
import redis.asyncio
import redis.exceptions

from idp.embedded import EmbeddedStores


async def query(url: str, sql: str):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def valkey(url: str, *command: str):
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        return await client.execute_command(*command)


async def write_something(stores: EmbeddedStores) -> None:
    urls = stores.start()
    await query(urls.migration, "CREATE TABLE IF NOT EXISTS kept (word text)")
    await query(urls.database, "INSERT INTO kept VALUES ('still here')")
    await valkey(urls.redis, "SET", "kept", "still here")


async def read_it_back(stores: EmbeddedStores) -> tuple[str, str]:
    urls = stores.start()
    return await query(urls.database, "SELECT word FROM kept"), await valkey(urls.redis, "GET", "kept")
