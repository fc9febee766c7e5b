"""The use cases, over what is outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncpg

from idp.bootstrap.accounts import AccountServices, account_services, mail_jobs
from idp.bootstrap.administration import AdministrationServices, administration_services, key_provision
from idp.bootstrap.background import at_work, purge
from idp.bootstrap.hosted import HostedServices, hosted_services, logout_job
from idp.bootstrap.observing import Observing, observing
from idp.bootstrap.outside import Outside, now, opened
from idp.bootstrap.token_state import TokenStateServices, token_state_services
from idp.domain.accounts.users import Users
from idp.domain.audit.events import Events
from idp.domain.audit.trail import AuditTrail
from idp.domain.clients.clients import Clients, digest_of_secret
from idp.domain.operation.changes import RecentChanges
from idp.domain.operation.health import Probe
from idp.domain.operation.limits import LoginCounts
from idp.domain.operation.signing_keys import SigningKeys
from idp.domain.sessions.sessions import Sessions
from idp.domain.tokens.refresh_tokens import RefreshTokenFormat
from idp.domain.tokens.revoked_tokens import RevokedTokens
from idp.embedded import StoreUrls
from idp.gateways import secret_keys
from idp.gateways.metrics import Metrics
from idp.repositories.clients.assertions import RedisUsedAssertions
from idp.repositories.operation.probes import CacheProbe, DatabaseProbe, ReplicaProbe
from idp.services.accounts.profile import Profile
from idp.services.accounts.registration import Registration
from idp.services.accounts.user_administration import UserAdministration
from idp.services.audit.audit_verification import AuditVerification
from idp.services.audit.counted_events import CountedEvents
from idp.services.audit.patterns import PatternWatch
from idp.services.clients.client_assertions import ClientAssertions
from idp.services.clients.client_keys import ClientKeys
from idp.services.clients.client_registration import ClientRegistration
from idp.services.clients.dynamic_registration import DynamicRegistration
from idp.services.clients.registration_metadata import RegistrationPolicy
from idp.services.operation.cursors import Cursors
from idp.services.operation.health import Health
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.checkpoints import Checkpoints
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.devices import Devices
from idp.services.sign_in.lockout import Lockout
from idp.services.sign_in.login import Login
from idp.services.sign_in.rest_sessions import RestSessions
from idp.services.tokens.access_tokens import AccessTokens
from idp.services.tokens.authorization_server import AuthorizationServer
from idp.services.tokens.grants.authorization_code import AuthorizationCodeGrant
from idp.services.tokens.grants.client_credentials import ClientCredentialsGrant
from idp.services.tokens.grants.password import PasswordGrant
from idp.services.tokens.grants.refresh_token import RefreshTokenGrant
from idp.services.tokens.own_interfaces import OwnInterfaces
from idp.settings import Settings

if TYPE_CHECKING:
    from idp.bootstrap.tracing import Tracing

GRANTS = (AuthorizationCodeGrant, PasswordGrant, RefreshTokenGrant, ClientCredentialsGrant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the application and the command line call."""

    users: Users
    clients: Clients
    sessions: Sessions
    revoked_tokens: RevokedTokens
    events: Events
    changes: RecentChanges
    keys: SigningKeys
    rate_limiter: RateLimiter
    access_tokens: AccessTokens
    own_interfaces: OwnInterfaces
    authorization_server: AuthorizationServer
    hosted: HostedServices
    token_state: TokenStateServices
    session_service: SessionService
    registration: Registration
    accounts: AccountServices
    user_administration: UserAdministration
    client_registration: ClientRegistration
    dynamic_registration: DynamicRegistration | None
    administration: AdministrationServices
    rest_sessions: RestSessions
    profile: Profile
    health: Health
    cursors: Cursors
    audit: AuditTrail
    audit_verification: AuditVerification
    patterns: PatternWatch
    forged_tokens: CountedEvents
    metrics: Metrics
    tracing: Tracing | None = None


@asynccontextmanager
async def running(settings: Settings, stores: StoreUrls, *, delivers: bool = True) -> AsyncIterator[Services]:
    """
    Everything open, and its background work under way, until the end of the block.

    *delivers*: this is a server, from which mails go out and clients are told of logouts, which makes the keys that
    clients ask for, and which traces if it is to.
    """
    async with AsyncExitStack() as stack:
        tracing = await _tracing(stack, settings) if delivers else None
        connection_class = tracing.connections if tracing else asyncpg.Connection
        # A command shows what the one before it has done, so it asks the primary.
        outside = await stack.enter_async_context(opened(settings, stores, connection_class, replicated=delivers))
        checkpoints = Checkpoints(outside.sessions)
        observed = observing(settings, outside)
        services = _services(settings, outside, checkpoints, observed)
        jobs = [outside.keys.watch, checkpoints.run, purge(outside), *observed.jobs]
        if delivers:
            jobs += [*mail_jobs(settings, outside), logout_job(settings, outside)]
            jobs.append(key_provision(services.clients, services.administration.keys))
        if len(outside.replicas):
            jobs.append(outside.replicas.run)
        if tracing is not None:
            tracing.trace(outside, services, jobs)
            services = replace(services, tracing=tracing)
        async with at_work(jobs):
            yield services


async def _tracing(stack: AsyncExitStack, settings: Settings) -> Tracing | None:
    if settings.otel_endpoint is None:
        return None
    from idp.bootstrap.tracing import traced  # with OpenTelemetry, which nobody else loads

    return await stack.enter_async_context(traced(settings))


def _services(settings: Settings, outside: Outside, checkpoints: Checkpoints, observed: Observing) -> Services:
    users, clients = outside.users, outside.clients
    access_tokens = _access_tokens(settings, outside, observed)
    sessions = _sessions(settings, outside, checkpoints, observed)
    login = _login(settings, outside)
    rate_limiter = RateLimiter(outside.limits, LoginCounts(settings.limit_login_counts))
    administration = administration_services(settings, outside, sessions)
    hosted = hosted_services(settings, outside, login, sessions, observed.audit)
    authorization_server = _authorization_server(
        settings, outside, hosted, sessions, access_tokens, login, rate_limiter
    )
    return Services(
        users=users,
        clients=clients,
        sessions=outside.sessions,
        revoked_tokens=outside.revoked_tokens,
        events=outside.trail,
        changes=outside.changes,
        keys=outside.keys,
        rate_limiter=rate_limiter,
        access_tokens=access_tokens,
        own_interfaces=OwnInterfaces(clients=clients, consents=outside.consents),
        authorization_server=authorization_server,
        token_state=token_state_services(
            settings,
            outside,
            authorization_server,
            sessions=sessions,
            access_tokens=access_tokens,
            limiter=rate_limiter,
        ),
        hosted=hosted,
        session_service=sessions,
        registration=Registration(accounts=outside.accounts, users=users, passwords=outside.passwords, now=now),
        accounts=account_services(outside, login, sessions),
        user_administration=administration.users,
        client_registration=administration.clients,
        dynamic_registration=_dynamic_registration(settings, clients, administration.clients),
        administration=administration,
        rest_sessions=RestSessions(
            login=login, sessions=sessions, access_tokens=access_tokens, on_issued=outside.metrics.issued
        ),
        profile=Profile(users=users),
        health=_health(outside, settings.release),
        cursors=Cursors(outside.derived(secret_keys.CURSORS)),
        audit=observed.audit,
        audit_verification=observed.verification,
        patterns=observed.patterns,
        forged_tokens=observed.forged_tokens,
        metrics=outside.metrics,
    )


def _health(outside: Outside, release: str) -> Health:
    probes: list[Probe] = [DatabaseProbe(outside.postgres), CacheProbe(outside.redis)]
    if len(outside.replicas):
        probes.append(ReplicaProbe(outside.replicas))
    return Health(probes, release)


def _access_tokens(settings: Settings, outside: Outside, observed: Observing) -> AccessTokens:
    return AccessTokens(
        outside.keys,
        issuer=settings.issuer,
        lifetime=settings.access_token_ttl,
        now=now,
        sessions=outside.sessions,
        revoked_tokens=outside.revoked_tokens,
        on_forged=observed.forged_tokens.note,
    )


def _authorization_server(
    settings: Settings,
    outside: Outside,
    hosted: HostedServices,
    sessions: SessionService,
    access_tokens: AccessTokens,
    login: Login,
    limiter: RateLimiter,
) -> AuthorizationServer:
    return AuthorizationServer(
        GRANTS,
        clients=outside.clients,
        sessions=sessions,
        users=outside.users,
        consents=outside.consents,
        codes=hosted.codes,
        access_tokens=access_tokens,
        id_tokens=hosted.id_tokens,
        login=login,
        assertions=_assertions(settings, outside),
        limiter=limiter,
        now=now,
        on_issued=outside.metrics.issued,
    )


def _dynamic_registration(
    settings: Settings, clients: Clients, registration: ClientRegistration
) -> DynamicRegistration | None:
    if settings.registration_token is None:
        return None
    policy = RegistrationPolicy(
        schemes=settings.registration_schemes,
        scopes=settings.registration_scopes,
        resources=settings.registration_resources,
        require_pkce=settings.registration_require_pkce,
    )
    digest = digest_of_secret(settings.registration_token)
    return DynamicRegistration(registration=registration, clients=clients, initial_digest=digest, policy=policy)


def _assertions(settings: Settings, outside: Outside) -> ClientAssertions:
    issuer = settings.issuer
    return ClientAssertions(
        keys=ClientKeys(outside.outgoing),
        used=RedisUsedAssertions(outside.redis, now),
        audiences=frozenset({issuer, issuer.rstrip("/") + "/oauth2/token"}),
        now=now,
    )


def _login(settings: Settings, outside: Outside) -> Login:
    return Login(
        users=outside.users,
        passwords=outside.passwords,
        lockout=Lockout(outside.failures, settings.lockout_attempts),
        devices=Devices(outside.derived(secret_keys.DEVICES), now),
        events=outside.trail,
        mails=outside.mails,
        verified_email_required=settings.verified_email_required,
    )


def _sessions(settings: Settings, outside: Outside, checkpoints: Checkpoints, observed: Observing) -> SessionService:
    return SessionService(
        sessions=outside.sessions,
        families=outside.families,
        tokens=RefreshTokenFormat(outside.derived(secret_keys.REFRESH_TOKENS)),
        checkpoints=checkpoints,
        watch=observed.refresh_watch,
        lifetime=settings.refresh_token_ttl,
        now=now,
    )
