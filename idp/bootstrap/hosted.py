"""Sign-in on the hosted page: browser sessions, authorization requests, codes and ID tokens."""

from __future__ import annotations

from dataclasses import dataclass

from idp.bootstrap.background import Job
from idp.bootstrap.outside import Outside, now
from idp.domain.audit.trail import AuditTrail
from idp.gateways import secret_keys
from idp.services.audit.sign_in_history import SignInHistory
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.backchannel_logout import BackchannelLogout
from idp.services.sessions.logout import Logout
from idp.services.sessions.logout_request import LogoutRequestReader
from idp.services.sessions.logout_tokens import LogoutTokens
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.authorization import Authorization
from idp.services.sign_in.authorization_request import RequestReader
from idp.services.sign_in.form_tokens import FormTokens
from idp.services.sign_in.hosted_login import HostedLogin
from idp.services.sign_in.login import Login
from idp.services.sign_in.own_applications import OwnApplications
from idp.services.tokens.authorization_codes import CodeService
from idp.services.tokens.id_tokens import IdTokens
from idp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedServices:
    login: HostedLogin
    authorization: Authorization
    logout: Logout
    codes: CodeService
    id_tokens: IdTokens
    form_tokens: FormTokens
    applications: OwnApplications
    history: SignInHistory


def hosted_services(
    settings: Settings, outside: Outside, login: Login, sessions: SessionService, audit: AuditTrail
) -> HostedServices:
    limiter = RateLimiter(outside.limits)
    codes = CodeService(codes=outside.codes, records=outside.sessions, sessions=sessions, events=outside.trail)
    id_tokens = IdTokens(keys=outside.keys, issuer=settings.issuer, lifetime=settings.access_token_ttl, now=now)
    hosted_login = HostedLogin(
        login=login,
        browsers=outside.browser_sessions,
        sessions=sessions,
        lifetime=settings.session_ttl,
        remembered=settings.session_remembered,
        idle=settings.session_idle,
        now=now,
    )
    return HostedServices(
        login=hosted_login,
        authorization=Authorization(
            reader=RequestReader(clients=outside.clients, id_tokens=id_tokens, now=now),
            requests=outside.authorization_requests,
            clients=outside.clients,
            consents=outside.consents,
            codes=codes,
            limiter=limiter,
            issuer=settings.issuer,
            verified_email_required=settings.verified_email_required,
            now=now,
        ),
        logout=Logout(
            reader=LogoutRequestReader(clients=outside.clients, id_tokens=id_tokens),
            requests=outside.logout_requests,
            records=outside.sessions,
            sessions=sessions,
            hosted_login=hosted_login,
            limiter=limiter,
            now=now,
        ),
        codes=codes,
        id_tokens=id_tokens,
        form_tokens=FormTokens(outside.derived(secret_keys.FORMS)),
        applications=OwnApplications(consents=outside.consents, clients=outside.clients, sessions=sessions),
        history=SignInHistory(trail=audit),
    )


def logout_job(settings: Settings, outside: Outside) -> Job:
    """Clients are told of sessions that have ended."""
    return BackchannelLogout(
        notices=outside.logout_notices,
        clients=outside.clients,
        outgoing=outside.outgoing,
        tokens=LogoutTokens(keys=outside.keys, issuer=settings.issuer, now=now),
        on_result=outside.metrics.logout_notice,
        now=now,
    ).run
