"""What is opened and closed: keys, passwords, Postgres, Redis, and the repositories over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import structlog

from idp.database.postgres import Postgres
from idp.database.redis import RedisStore
from idp.database.replicas import Replicas
from idp.domain.operation.changes import RecentChanges
from idp.domain.operation.limits import Category, Limit
from idp.domain.sign_in.lockout import LockoutPolicy
from idp.embedded import StoreUrls
from idp.gateways import secret_keys
from idp.gateways.addresses import Reach
from idp.gateways.key_files import KeyFiles
from idp.gateways.metrics import Metrics
from idp.gateways.outgoing import GuardedOutgoing
from idp.gateways.passwords import BcryptPasswords, default_threads
from idp.repositories.accounts.accounts import PostgresAccounts
from idp.repositories.accounts.mail_tokens import PostgresMailTokens
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.accounts.users import PostgresUsers
from idp.repositories.audit.events import AuditTrail
from idp.repositories.clients.clients import PostgresClients
from idp.repositories.operation.limits import RedisLimits
from idp.repositories.operation.local_limits import LocalLimits
from idp.repositories.operation.recent_changes import NoRecentChanges, RedisRecentChanges
from idp.repositories.reading import Reading
from idp.repositories.sessions.logout_notices import PostgresLogoutNotices
from idp.repositories.sessions.logout_requests import RedisLogoutRequests
from idp.repositories.sessions.sessions import PostgresSessions
from idp.repositories.sign_in.authorization_requests import RedisAuthorizationRequests
from idp.repositories.sign_in.browser_sessions import StoredBrowserSessions
from idp.repositories.sign_in.consents import PostgresConsents
from idp.repositories.sign_in.sign_in_failures import PostgresSignInFailures
from idp.repositories.tokens.authorization_codes import RedisAuthorizationCodes
from idp.repositories.tokens.families import RedisFamilies
from idp.repositories.tokens.profiles import PostgresProfiles
from idp.repositories.tokens.revoked_tokens import PostgresRevokedTokens
from idp.settings import Settings

log = structlog.get_logger("idp.bootstrap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """*secrets* are those of IDP_SECRET, newest first: `derived(use)` has the keys for one use."""

    secrets: tuple[bytes, ...]
    keys: KeyFiles
    passwords: BcryptPasswords
    postgres: Postgres
    replicas: Replicas
    reading: Reading
    changes: RecentChanges
    redis: RedisStore
    trail: AuditTrail
    metrics: Metrics
    users: PostgresUsers
    profiles: PostgresProfiles
    clients: PostgresClients
    sessions: PostgresSessions
    revoked_tokens: PostgresRevokedTokens
    families: RedisFamilies
    browser_sessions: StoredBrowserSessions
    consents: PostgresConsents
    authorization_requests: RedisAuthorizationRequests
    codes: RedisAuthorizationCodes
    logout_requests: RedisLogoutRequests
    logout_notices: PostgresLogoutNotices
    mails: PostgresMails
    mail_tokens: PostgresMailTokens
    accounts: PostgresAccounts
    limits: RedisLimits
    failures: PostgresSignInFailures
    outgoing: GuardedOutgoing

    def derived(self, use: str) -> list[bytes]:
        return secret_keys.derived(self.secrets, use)


def now() -> datetime:
    return datetime.now(UTC)


def secrets_of(settings: Settings) -> tuple[bytes, ...]:
    return settings.secrets or (secret_keys.made_once(settings.data_dir / "secret"),)


def key_files(settings: Settings, *, provision: bool = True) -> KeyFiles:
    """Loaded. *provision*: keys may be made, as by who asks for one at the command line. Raises `InvalidKeyFile`."""
    keys = KeyFiles(
        settings.keys_dir,
        bits=settings.key_bits,
        provision=provision,
        publish_ahead=settings.jwks_max_age,
        token_lifetime=settings.access_token_ttl,
        hint_lifetime=max(settings.session_ttl, settings.session_remembered),
        now=now,
        on_fault=lambda message: log.error("key_file_refused", reason=message),
    )
    keys.load()
    return keys


@asynccontextmanager
async def opened(
    settings: Settings,
    stores: StoreUrls,
    connection_class: type[asyncpg.Connection] = asyncpg.Connection,
    *,
    replicated: bool = True,
) -> AsyncIterator[Outside]:
    """
    Until the end of the block. *connection_class* is that of connections to Postgres. *replicated*: standbys are asked too,
    where there are any.
    """
    keys, metrics = key_files(settings, provision=settings.keys_provision), Metrics()
    passwords = BcryptPasswords(
        settings.bcrypt_rounds,
        default_threads(settings.workers),
        on_hash=metrics.password_hash,
        on_refused=metrics.password_refused,
    )
    postgres = Postgres(
        stores.database, settings.database_pool, on_use=metrics.postgres, connection_class=connection_class
    )
    urls = settings.database_replica_urls if replicated else ()
    replicas = Replicas(postgres, urls, settings.database_pool, settings.database_replica_lag, connection_class)
    redis = RedisStore(stores.redis, on_call=metrics.redis)
    await postgres.open()
    outside = _outside(settings, keys, metrics, passwords, postgres, replicas, redis)
    try:
        yield outside
    finally:
        await outside.limits.close()
        await outside.outgoing.close()
        await redis.close()
        replicas.close()
        await postgres.close()
        passwords.close()


def _outside(
    settings: Settings,
    keys: KeyFiles,
    metrics: Metrics,
    passwords: BcryptPasswords,
    postgres: Postgres,
    replicas: Replicas,
    redis: RedisStore,
) -> Outside:
    secrets = secrets_of(settings)
    changes = RedisRecentChanges(redis, settings.database_replica_lag) if len(replicas) else NoRecentChanges()
    reading = Reading(postgres, replicas, changes, on_read=metrics.read)
    trail = AuditTrail(postgres, metrics.event)
    mails = PostgresMails(postgres, trail)
    return Outside(
        secrets=secrets,
        keys=keys,
        passwords=passwords,
        postgres=postgres,
        replicas=replicas,
        reading=reading,
        changes=changes,
        redis=redis,
        trail=trail,
        metrics=metrics,
        users=(users := PostgresUsers(postgres, trail)),
        profiles=PostgresProfiles(users, reading),
        clients=PostgresClients(postgres, reading, trail, on_lookup=metrics.client_lookup),
        sessions=PostgresSessions(postgres, trail, mails),
        revoked_tokens=PostgresRevokedTokens(postgres, trail),
        families=_families(settings, secrets, redis, metrics),
        browser_sessions=StoredBrowserSessions(postgres, redis, trail),
        consents=PostgresConsents(postgres, trail),
        authorization_requests=RedisAuthorizationRequests(redis),
        codes=RedisAuthorizationCodes(redis),
        logout_requests=RedisLogoutRequests(redis),
        logout_notices=PostgresLogoutNotices(postgres, trail),
        mails=mails,
        mail_tokens=PostgresMailTokens(postgres, trail),
        accounts=PostgresAccounts(postgres, trail, mails),
        limits=RedisLimits(
            redis,
            _limits(settings),
            secret_keys.derived(secrets, secret_keys.LIMITS)[0],
            LocalLimits(settings.workers),
            metrics.limit,
        ),
        failures=PostgresSignInFailures(
            postgres,
            trail,
            mails,
            policy=LockoutPolicy(settings.lockout_attempts, settings.lockout_duration),
            key=secret_keys.derived(secrets, secret_keys.IDENTIFIERS)[0],
            on_blocked=metrics.blocked_sign_in,
        ),
        outgoing=GuardedOutgoing(_reach(settings)),
    )


def _reach(settings: Settings) -> Reach:
    """Of what clients register. In development they run on this machine."""
    private, development = settings.outgoing_private, settings.env == "development"
    return Reach(private=bool(private), loopback=development if private is None else private)


def _families(settings: Settings, secrets: Sequence[bytes], redis: RedisStore, metrics: Metrics) -> RedisFamilies:
    return RedisFamilies(
        redis,
        key=secret_keys.derived(secrets, secret_keys.PLACES)[0],
        grace=settings.refresh_grace,
        repeats=settings.refresh_repeats,
        limit=_limits(settings).get(Category.REFRESH),
        on_decision=metrics.limit,
    )


def _limits(settings: Settings) -> dict[Category, Limit]:
    named = {category: getattr(settings, f"limit_{category}") for category in set(Category) - {Category.CLIENT_PROOF}}
    chosen = {**named, Category.CLIENT_PROOF: settings.limit_login}
    return {
        category: category.limit(limit.count, limit.window) for category, limit in chosen.items() if limit is not None
    }
