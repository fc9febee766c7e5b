"""
The composition root: settings and the outside world in, services out.

Nothing below knows a setting or who implements a Protocol; nothing else opens or closes a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.domain.clients import Clients
from idp.domain.errors import StoreUnavailable
from idp.domain.events import Events
from idp.domain.limits import Category, Limit
from idp.domain.refresh_tokens import RefreshTokenFormat
from idp.domain.sessions import Sessions
from idp.domain.signing_keys import SigningKeys
from idp.domain.users import Users
from idp.gateways import secret_keys
from idp.gateways.embedded import StoreUrls
from idp.gateways.key_files import KeyFiles
from idp.gateways.passwords import BcryptPasswords, default_threads
from idp.repositories.clients import PostgresClients
from idp.repositories.events import AuditTrail
from idp.repositories.families import RedisFamilies
from idp.repositories.limits import RedisLimits
from idp.repositories.probes import CacheProbe, DatabaseProbe
from idp.repositories.sessions import PostgresSessions
from idp.repositories.users import PostgresUsers
from idp.services.access_tokens import AccessTokens
from idp.services.authorization_server import AuthorizationServer
from idp.services.checkpoints import Checkpoints
from idp.services.client_registration import ClientRegistration
from idp.services.grants.client_credentials import ClientCredentialsGrant
from idp.services.grants.password import PasswordGrant
from idp.services.grants.refresh_token import RefreshTokenGrant
from idp.services.health import Health
from idp.services.login import Login
from idp.services.profile import Profile
from idp.services.rate_limiter import RateLimiter
from idp.services.registration import Registration
from idp.services.rest_sessions import RestSessions
from idp.services.sessions import SessionService
from idp.services.user_administration import UserAdministration
from idp.settings import Settings

log = structlog.get_logger("idp.bootstrap")

GRANTS = (PasswordGrant, RefreshTokenGrant, ClientCredentialsGrant)

PURGE_EVERY = 3600.0
PURGE_AFTER = timedelta(days=1)
PURGE_AT_ONCE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the application and the command line call."""

    users: Users
    clients: Clients
    sessions: Sessions
    events: Events
    keys: SigningKeys
    rate_limiter: RateLimiter
    access_tokens: AccessTokens
    authorization_server: AuthorizationServer
    session_service: SessionService
    registration: Registration
    user_administration: UserAdministration
    client_registration: ClientRegistration
    rest_sessions: RestSessions
    profile: Profile
    health: Health


def now() -> datetime:
    return datetime.now(UTC)


def secrets_of(settings: Settings) -> tuple[bytes, ...]:
    return settings.secrets or (secret_keys.made_once(settings.data_dir / "secret"),)


def key_files(settings: Settings) -> KeyFiles:
    """Loaded. Raises `InvalidKeyFile`."""
    keys = KeyFiles(
        settings.keys_dir,
        bits=settings.key_bits,
        publish_ahead=settings.jwks_max_age,
        token_lifetime=settings.access_token_ttl,
        now=now,
        on_fault=lambda message: log.error("key_file_refused", reason=message),
    )
    keys.load()
    return keys


@asynccontextmanager
async def running(settings: Settings, stores: StoreUrls) -> AsyncIterator[Services]:
    """Everything open, and its background work under way, until the end of the block."""
    keys = key_files(settings)
    passwords = BcryptPasswords(settings.bcrypt_rounds, default_threads(settings.workers))
    postgres = Postgres(stores.database, settings.database_pool)
    redis = RedisStore(stores.redis)
    await postgres.open()
    checkpoints = Checkpoints(sessions := PostgresSessions(postgres, trail := AuditTrail(postgres)))
    services = _services(settings, keys, passwords, postgres, redis, trail, sessions, checkpoints)
    background = [
        asyncio.create_task(work())
        for work in (keys.watch, checkpoints.run, lambda: _repeat(PURGE_EVERY, lambda: _purge(sessions)))
    ]
    try:
        yield services
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await redis.close()
        await postgres.close()
        passwords.close()


def _services(
    settings: Settings,
    keys: KeyFiles,
    passwords: BcryptPasswords,
    postgres: Postgres,
    redis: RedisStore,
    trail: AuditTrail,
    sessions: PostgresSessions,
    checkpoints: Checkpoints,
) -> Services:
    users = PostgresUsers(postgres, trail)
    clients = PostgresClients(postgres, trail)
    access_tokens = AccessTokens(
        keys, issuer=settings.issuer, lifetime=settings.access_token_ttl, now=now, sessions=sessions
    )
    session_service = _session_service(settings, sessions, redis, trail, checkpoints)
    login = Login(users=users, passwords=passwords, events=trail)
    return Services(
        users=users,
        clients=clients,
        sessions=sessions,
        events=trail,
        keys=keys,
        rate_limiter=_rate_limiter(settings, redis),
        access_tokens=access_tokens,
        authorization_server=AuthorizationServer(
            GRANTS, clients=clients, sessions=session_service, access_tokens=access_tokens, login=login, now=now
        ),
        session_service=session_service,
        registration=Registration(users=users, passwords=passwords, events=trail, now=now),
        user_administration=UserAdministration(users=users, passwords=passwords),
        client_registration=ClientRegistration(clients=clients, now=now),
        rest_sessions=RestSessions(login=login, sessions=session_service, access_tokens=access_tokens),
        profile=Profile(users=users),
        health=Health((DatabaseProbe(postgres), CacheProbe(redis))),
    )


def _rate_limiter(settings: Settings, redis: RedisStore) -> RateLimiter:
    chosen = {category: getattr(settings, f"limit_{category}") for category in Category}
    limits = {category: Limit(limit.count, limit.window) for category, limit in chosen.items() if limit is not None}
    key = secret_keys.derived(secrets_of(settings), secret_keys.LIMITS)[0]
    return RateLimiter(RedisLimits(redis, limits, key))


def _session_service(
    settings: Settings, sessions: PostgresSessions, redis: RedisStore, trail: AuditTrail, checkpoints: Checkpoints
) -> SessionService:
    return SessionService(
        sessions=sessions,
        families=RedisFamilies(redis, grace=settings.refresh_grace),
        tokens=RefreshTokenFormat(secret_keys.derived(secrets_of(settings), secret_keys.REFRESH_TOKENS)),
        checkpoints=checkpoints,
        events=trail,
        lifetime=settings.refresh_token_ttl,
        now=now,
    )


async def _purge(sessions: Sessions) -> None:
    try:
        while await sessions.purge(now() - PURGE_AFTER, PURGE_AT_ONCE) == PURGE_AT_ONCE:
            log.info("sessions_purged", count=PURGE_AT_ONCE)
    except StoreUnavailable as fault:
        log.warning("purge_postponed", reason=str(fault))


async def _repeat(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await work()
        await asyncio.sleep(seconds)
