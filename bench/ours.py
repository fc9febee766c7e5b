"""`idp serve` under measurement: production's settings, stores on the disk, sessions that began with a password."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import httpx

from bench import requests
from bench.driver import Script
from bench.processes import Cores, Program, free_port, pinned
from bench.requests import Workload
from bench.stores import bytes_kept
from bench.targets import LOGIN_CHAINS, Target
from idp.bootstrap import Services, running
from idp.cli.preparation import migrate
from idp.domain.accounts.users import NewUser
from idp.domain.clients.clients import Client, ClientSecret, digest_of_secret, new_secret
from idp.embedded import EmbeddedStores, StoreUrls
from idp.gateways import log_lines
from idp.gateways.passwords import BcryptPasswords
from idp.settings import load

TOKEN = "/oauth2/token"
LOGIN = "/auth/login"
JWKS = "/.well-known/jwks.json"
PASSWORD = "Correct-Horse-7"
CLIENT_ID = "bench"
SCOPE = "openid profile email offline_access"
GRANTS = ("password", "refresh_token", "client_credentials")

# On, as in production, and never reached: what is measured is their cost, not their refusals.
LIMITS = ("LOGIN", "REGISTER", "REFRESH", "API", "ADMIN", "CLIENT")
OUT_OF_REACH = "1000000/1m"


@dataclass(frozen=True, slots=True)
class Seeded:
    """Stores with tables, one confidential client and *emails* of users whose password is `PASSWORD`."""

    environment: Mapping[str, str] = field(repr=False)
    embedded: EmbeddedStores
    client: tuple[str, str] = field(repr=False)
    emails: Sequence[str]

    @property
    def store_pids(self) -> tuple[int, ...]:
        return tuple(pid for pid in (self.embedded.postgres_pid, self.embedded.valkey_pid) if pid is not None)


def environment(urls: StoreUrls, folder: Path) -> dict[str, str]:
    return {
        "IDP_ENV": "production",
        "IDP_ISSUER": "https://idp.example",
        "IDP_SECRET": secrets.token_hex(32),
        "IDP_DATABASE_URL": urls.database,
        "IDP_MIGRATION_DATABASE_URL": urls.migration,
        "IDP_REDIS_URL": urls.redis,
        "IDP_DATA_DIR": str(folder / "data"),
        "IDP_KEYS_DIR": str(folder / "keys"),
        **{f"IDP_LIMIT_{name}": OUT_OF_REACH for name in LIMITS},
    }


async def seed(embedded: EmbeddedStores, folder: Path, users: int) -> Seeded:
    urls = embedded.start()
    await migrate(urls)
    chosen = environment(urls, folder)
    log_lines.configure(pretty=False, level=logging.WARNING, to_stderr=True)
    async with running(load(chosen), urls) as services:
        secret = await confidential_client(services)
        emails = await people(services, load(chosen).bcrypt_rounds, users)
    return Seeded(chosen, embedded, (CLIENT_ID, secret), emails)


async def confidential_client(services: Services) -> str:
    """Its secret."""
    secret = new_secret()
    digest = ClientSecret(digest_of_secret(secret))
    client = Client(client_id=CLIENT_ID, name="Benchmark", secrets=(digest,), grant_types=GRANTS, scope=SCOPE)
    if not await services.clients.add(client):
        raise RuntimeError("the stores of a benchmark are new")
    return secret


async def people(services: Services, rounds: int, count: int) -> list[str]:
    """Their addresses. They share one hash: making each its own would only take time."""
    passwords = BcryptPasswords(rounds, threads=1)
    password_hash = await passwords.hash(PASSWORD)
    passwords.close()
    emails = [f"user-{number}@example.com" for number in range(count)]
    for email in emails:
        new = NewUser(email=email, name="Ada", password_hash=password_hash, email_verified=True)
        await services.registration.accounts.register(new)
    return emails


@contextmanager
def served(seeded: Seeded, server: str, *, chains: int, folder: Path, cores: Cores) -> Iterator[Target]:
    """One worker of `idp serve` on *server* ("hypercorn", "granian"), each chain with a session of its own."""
    port = free_port()
    command = [sys.executable, "-m", "idp", "serve", "--server", server]
    given = {**seeded.environment, "IDP_BIND": f"127.0.0.1:{port}"}
    with pinned(cores.server):
        program = Program(f"idp-{server}", command, folder=folder, cwd=folder, environment=given)
    with program:
        program.await_answer(f"http://127.0.0.1:{port}{JWKS}")
        new_session = partial(_session, port, seeded.client, seeded.emails[0])
        yield Target(
            name=f"idp ({server.capitalize()})",
            port=port,
            program=program,
            stores=seeded.store_pids,
            scripts=_scripts(port, seeded, chains),
            new_session=new_session,
            kept=lambda: bytes_kept(seeded.environment["IDP_REDIS_URL"], "rt:*"),
        )


def _scripts(port: int, seeded: Seeded, chains: int) -> dict[Workload, list[Script]]:
    emails = [seeded.emails[number % len(seeded.emails)] for number in range(chains)]
    credentials = [{"email": email, "password": PASSWORD} for email in emails[:LOGIN_CHAINS]]
    return {
        Workload.REFRESH: [_session(port, seeded.client, email) for email in emails],
        Workload.CLIENT_CREDENTIALS: [requests.client_credentials(TOKEN, seeded.client) for _ in emails],
        Workload.LOGIN: [requests.login(LOGIN, body) for body in credentials],
        Workload.JWKS: [requests.jwks(JWKS) for _ in emails],
    }


def _session(port: int, client: tuple[str, str], email: str) -> Script:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    answer = httpx.post(f"http://127.0.0.1:{port}{TOKEN}", data=form, auth=client, trust_env=False, timeout=30)
    answer.raise_for_status()
    return requests.refresh(TOKEN, client, answer.json()["refresh_token"])


def record_bytes(seeded: Seeded) -> float:
    """Bytes of a session's row in Postgres, on average. It has one, however often it is refreshed."""

    async def asked() -> float:
        connection = await asyncpg.connect(seeded.environment["IDP_MIGRATION_DATABASE_URL"])
        try:
            return float(await connection.fetchval("SELECT avg(pg_column_size(s)) FROM sessions s"))
        finally:
            await connection.close()

    return asyncio.run(asked())
