"""What is asked with and about tokens: who their user is, what they are worth, and that they shall end."""

from __future__ import annotations

from dataclasses import dataclass

from idp.bootstrap.outside import Outside, now
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.sessions import SessionService
from idp.services.tokens.access_tokens import AccessTokens
from idp.services.tokens.authorization_server import AuthorizationServer
from idp.services.tokens.client_calls import ClientCalls
from idp.services.tokens.introspection import Introspection
from idp.services.tokens.revocation import Revocation
from idp.services.tokens.userinfo import UserInfo
from idp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStateServices:
    revocation: Revocation
    introspection: Introspection
    userinfo: UserInfo


def token_state_services(
    settings: Settings,
    outside: Outside,
    server: AuthorizationServer,
    *,
    sessions: SessionService,
    access_tokens: AccessTokens,
    limiter: RateLimiter,
) -> TokenStateServices:
    calls = ClientCalls(server=server, limiter=limiter)
    return TokenStateServices(
        revocation=Revocation(
            calls=calls, access_tokens=access_tokens, revoked_tokens=outside.revoked_tokens, sessions=sessions
        ),
        introspection=Introspection(
            calls=calls,
            access_tokens=access_tokens,
            sessions=sessions,
            clients=outside.clients,
            issuer=settings.issuer,
            now=now,
        ),
        userinfo=UserInfo(
            access_tokens=access_tokens,
            profiles=outside.profiles,
            clients=outside.clients,
            keys=outside.keys,
            limiter=limiter,
            issuer=settings.issuer,
        ),
    )
