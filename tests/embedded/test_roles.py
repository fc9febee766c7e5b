import asyncpg
import pytest

from idp.embedded import EmbeddedStores
from idp.embedded.roles import RoleNames, create_database, create_roles, restrict_database

pytestmark = pytest.mark.isolated

BEYOND_THE_RUNTIME_ROLE = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE INDEX ON notes (word)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE notes ADD COLUMN mine int",
    "DROP TABLE notes",
    "TRUNCATE notes",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "ALTER ROLE idp_app SUPERUSER",
    "SET ROLE idp_owner",
    "COPY notes TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT shout('a')",
]


async def connected(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url)


@pytest.fixture(scope="module")
async def app(running: EmbeddedStores):
    """A session of the runtime role, beside a table that the migrating role has made."""
    urls = running.start()
    migrating = await connected(urls.migration)
    await migrating.execute("CREATE TABLE notes (id serial PRIMARY KEY, word text)")
    await migrating.execute("CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'")
    app = await connected(urls.database)
    yield app
    await app.close()
    await migrating.execute("DROP FUNCTION shout; DROP TABLE notes")
    await migrating.close()


@pytest.mark.parametrize("statement", BEYOND_THE_RUNTIME_ROLE)
async def test_the_runtime_role_may_not(app, statement):
    """SC4."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(statement)


async def test_the_runtime_role_reads_and_writes_rows_of_what_a_migration_made(app):
    made = await app.fetchval("INSERT INTO notes (word) VALUES ('a') RETURNING id")
    await app.execute("UPDATE notes SET word = 'b' WHERE id = $1", made)

    assert await app.fetchval("SELECT word FROM notes WHERE id = $1", made) == "b"
    assert await app.execute("DELETE FROM notes WHERE id = $1", made) == "DELETE 1"


async def test_the_runtime_role_has_limits_on_its_statements(app):
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    assert [await app.fetchval("SELECT current_setting($1)", name) for name in names] == ["5s", "2s", "10s"]


async def test_what_the_migrating_role_makes_belongs_to_the_owner_role(running, app):
    owner = "SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'notes'"

    assert await app.fetchval(owner) == "idp_owner"


async def test_the_migrating_role_makes_schemas(running):
    migrating = await connected(running.start().migration)
    await migrating.execute("CREATE SCHEMA trail")

    assert (
        await migrating.fetchval("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'trail'")
        == "idp_owner"
    )
    await migrating.execute("DROP SCHEMA trail")
    await migrating.close()


@pytest.mark.parametrize("database", ["postgres", "template1"])
async def test_the_runtime_role_cannot_open_another_database(running, database):
    url = running.start().database.replace("/idp?", f"/{database}?")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connected(url)


async def test_the_roles_of_another_cluster_may_have_other_names_and_be_made_twice(running):
    names = RoleNames(database="Other idp", owner="Other owner", migrate="other-migrate", runtime="other.app")
    superuser = await connected(running.superuser_url())
    for _ in range(2):
        await create_roles(superuser, names, migrate_password="m", runtime_password="r")
        await create_database(superuser, names)
        database = await connected(running.superuser_url(names.database))
        await restrict_database(database, names)
        await database.close()

    host = running.superuser_url().partition("?")[2]
    app = await asyncpg.connect(f"postgresql://other.app:r@/Other%20idp?{host}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE mine (id int)")
    await app.close()
    await superuser.execute('DROP DATABASE "Other idp"')
    await superuser.execute('DROP ROLE "other-migrate", "other.app", "Other owner"')
    await superuser.close()
