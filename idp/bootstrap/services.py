"""The use cases, over what is outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from idp.bootstrap.background import at_work, purge
from idp.bootstrap.outside import Outside, now, opened
from idp.domain.clients import Clients
from idp.domain.events import Events
from idp.domain.refresh_tokens import RefreshTokenFormat
from idp.domain.sessions import Sessions
from idp.domain.signing_keys import SigningKeys
from idp.domain.users import Users
from idp.gateways import secret_keys
from idp.gateways.embedded import StoreUrls
from idp.repositories.probes import CacheProbe, DatabaseProbe
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

GRANTS = (PasswordGrant, RefreshTokenGrant, ClientCredentialsGrant)


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


@asynccontextmanager
async def running(settings: Settings, stores: StoreUrls) -> AsyncIterator[Services]:
    """Everything open, and its background work under way, until the end of the block."""
    async with opened(settings, stores) as outside:
        checkpoints = Checkpoints(outside.sessions)
        services = _services(settings, outside, checkpoints)
        async with at_work([outside.keys.watch, checkpoints.run, purge(outside)]):
            yield services


def _services(settings: Settings, outside: Outside, checkpoints: Checkpoints) -> Services:
    users, clients, passwords, trail = outside.users, outside.clients, outside.passwords, outside.trail
    access_tokens = AccessTokens(
        outside.keys, issuer=settings.issuer, lifetime=settings.access_token_ttl, now=now, sessions=outside.sessions
    )
    sessions = _sessions(settings, outside, checkpoints)
    login = Login(users=users, passwords=passwords, events=trail)
    return Services(
        users=users,
        clients=clients,
        sessions=outside.sessions,
        events=trail,
        keys=outside.keys,
        rate_limiter=RateLimiter(outside.limits),
        access_tokens=access_tokens,
        authorization_server=AuthorizationServer(
            GRANTS, clients=clients, sessions=sessions, access_tokens=access_tokens, login=login, now=now
        ),
        session_service=sessions,
        registration=Registration(users=users, passwords=passwords, events=trail, now=now),
        user_administration=UserAdministration(users=users, passwords=passwords),
        client_registration=ClientRegistration(clients=clients, now=now),
        rest_sessions=RestSessions(login=login, sessions=sessions, access_tokens=access_tokens),
        profile=Profile(users=users),
        health=Health((DatabaseProbe(outside.postgres), CacheProbe(outside.redis))),
    )


def _sessions(settings: Settings, outside: Outside, checkpoints: Checkpoints) -> SessionService:
    return SessionService(
        sessions=outside.sessions,
        families=outside.families,
        tokens=RefreshTokenFormat(outside.derived(secret_keys.REFRESH_TOKENS)),
        checkpoints=checkpoints,
        events=outside.trail,
        lifetime=settings.refresh_token_ttl,
        now=now,
    )
