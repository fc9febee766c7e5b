"""
The roles of the database: who owns it, who migrates it, and who serves from it.

    idp_owner     cannot log in; owns the schema `public` and everything that migrations make
    idp_migrate   logs in to migrate and acts as idp_owner, so objects belong to one role whoever migrates
    idp_app       reads and writes rows: no DDL, no temporary tables, nothing that PUBLIC would give it

The same steps serve a PostgreSQL of your own, version 15 or newer: `create_roles` and `create_database` on a superuser's
connection to any database, then `restrict_database` on a superuser's connection to the new one. All may be repeated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import asyncpg

SCRAM_ITERATIONS = 4096  # PostgreSQL's own default

# Limits stand at the role and not in the connection: a pooler may refuse start-up parameters.
ROLES = """
DO $$ BEGIN CREATE ROLE {owner} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE {migrate} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE {runtime} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE {migrate} PASSWORD {migrate_verifier};
ALTER ROLE {runtime} PASSWORD {runtime_verifier};
GRANT {owner} TO {migrate};
ALTER ROLE {migrate} SET role = {owner};
ALTER ROLE {runtime} SET statement_timeout = '5s';
ALTER ROLE {runtime} SET lock_timeout = '2s';
ALTER ROLE {runtime} SET idle_in_transaction_session_timeout = '10s';
"""

DATABASE = """
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {migrate}, {runtime};
GRANT CREATE, TEMPORARY ON DATABASE {database} TO {owner};
ALTER SCHEMA public OWNER TO {owner};
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {runtime};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {runtime};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE ON SEQUENCES TO {runtime};
"""


@dataclass(frozen=True, slots=True)
class RoleNames:
    database: str = "idp"
    owner: str = "idp_owner"
    migrate: str = "idp_migrate"
    runtime: str = "idp_app"

    def quoted(self) -> dict[str, str]:
        return {name: _identifier(getattr(self, name)) for name in ("database", "owner", "migrate", "runtime")}


async def create_roles(
    superuser: asyncpg.Connection, names: RoleNames, *, migrate_password: str, runtime_password: str
) -> None:
    """Makes the three roles of a cluster, or gives them these passwords (ASCII) and limits again."""
    verifiers = {
        "migrate_verifier": f"'{scram_verifier(migrate_password)}'",
        "runtime_verifier": f"'{scram_verifier(runtime_password)}'",
    }
    await superuser.execute(ROLES.format(**names.quoted(), **verifiers))


async def create_database(superuser: asyncpg.Connection, names: RoleNames) -> None:
    if not await superuser.fetchval("SELECT true FROM pg_database WHERE datname = $1", names.database):
        await superuser.execute(f"CREATE DATABASE {_identifier(names.database)}")


async def restrict_database(superuser: asyncpg.Connection, names: RoleNames) -> None:
    """
    Gives the schema to the owner role and rows, nothing else, to the runtime role.

    *superuser* is connected to the database *names.database*. A database cloned from a template has none of its template's
    grants on the database itself, so this is called for the clone too.
    """
    await superuser.execute(DATABASE.format(**names.quoted()))


def scram_verifier(password: str) -> str:
    """
    What PostgreSQL stores for *password* (ASCII), RFC 5803: `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`.

    Made here because a statement that fails is written to the server's log, a password in it included.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
