"""
What has spans, if this server traces: request → service → stores, passwords, mails and calls to clients.

Imported only then, and the only place that puts spans around anything: no service and no store knows of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from idp.bootstrap.background import Job
from idp.bootstrap.outside import Outside
from idp.bootstrap.services import Services
from idp.gateways import log_lines
from idp.gateways.tracing import calls
from idp.gateways.tracing.export import exporting
from idp.gateways.tracing.passwords import trace_passwords
from idp.gateways.tracing.requests import RequestSpans
from idp.gateways.tracing.spans import Method, Spans, ids
from idp.gateways.tracing.statements import traced_connection
from idp.services.accounts.deliveries import Deliveries
from idp.services.sessions.backchannel_logout import BackchannelLogout
from idp.settings import Settings

Spanned = tuple[object, Sequence[Method]]


@dataclass(frozen=True, slots=True)
class Tracing:
    """*connections*: the class of those to Postgres. *requests*: for the edge. *ids*: of the span around, for log lines."""

    spans: Spans
    connections: type[asyncpg.Connection]
    requests: RequestSpans
    ids: Callable[[], dict[str, str]] = ids

    def trace(self, outside: Outside, services: Services, jobs: Sequence[Job]) -> None:
        """Once all are composed: from now on they have spans."""
        for thing, methods in (*_outside(outside), *_services(services), *_hosted(services), *_jobs(jobs)):
            self.spans.around(thing, *methods)
        trace_passwords(self.spans, outside.passwords)


@asynccontextmanager
async def traced(settings: Settings) -> AsyncIterator[Tracing]:
    """Spans go out, and log lines name them, until the end of the block."""
    endpoint, headers = settings.otel_endpoint or "", dict(settings.otel_headers)
    async with exporting(endpoint, headers, settings.otel_service_name, settings.otel_sample_ratio) as tracer:
        spans = Spans(tracer)
        with log_lines.naming(ids):
            yield Tracing(spans, traced_connection(spans), RequestSpans(tracer))


def _outside(outside: Outside) -> Iterator[Spanned]:
    yield (
        outside.redis,
        [Method(name="run", span=calls.script_name, asked=calls.script_attributes, calls_out=True)],
    )
    yield (
        outside.sessions,
        [Method(name="find_family", span=calls.SESSION_READ, asked=calls.session_read, calls_out=True)],
    )
    yield outside.families, [Method(name="rotate", span="rotate family", answered=calls.rotation_answered)]
    yield outside.outgoing, calls.OUTGOING


def _services(services: Services) -> Iterator[Spanned]:
    token = Method(name="token", span="token grant", asked=calls.token_asked, answered=calls.token_answered)
    yield services.authorization_server, [token]
    yield services.rate_limiter, [Method(name="take", span="rate limit", asked=calls.limit_asked)]
    yield services.rest_sessions, _named(sign_in="sign-in over REST", refresh="refresh over REST", sign_out="sign-out")
    yield services.rest_sessions.login, _named(authenticate="password sign-in")
    yield (
        services.session_service,
        _named(start="start session", present="read refresh token", rotate="rotate refresh token", end="end session"),
    )
    yield services.access_tokens, _named(issue="sign access token", bearer="check access token")
    state = services.token_state
    yield state.introspection, _named(answer="introspection")
    yield state.revocation, _named(answer="revocation")
    yield state.userinfo, _named(of="userinfo")
    yield services.registration, _named(register="registration")
    yield services.accounts.password_change, _named(change="password change")
    yield services.accounts.password_reset, _named(request="password reset request", reset="password reset")
    yield services.accounts.email_verification, _named(send="send verification", confirm="confirm address")
    yield services.accounts.email_change, _named(request="address change request")
    yield services.accounts.account_deletion, _named(delete="account deletion")


def _hosted(services: Services) -> Iterator[Spanned]:
    hosted = services.hosted
    yield hosted.login, _named(visitor="find visitor", sign_in="sign-in on the page", sign_out="sign-out on the page")
    yield hosted.authorization, _named(begin="authorization", resume="resume authorization", allow="consent")
    yield hosted.codes, _named(issue="issue code", present="read code", redeem="redeem code")
    yield hosted.id_tokens, _named(issue="sign ID token")
    yield hosted.logout, _named(begin="logout", resume="resume logout", confirm="confirm logout")


def _jobs(jobs: Sequence[Job]) -> Iterator[Spanned]:
    """Mails and logout notices: each is a trace of its own, since whoever asked for it has long been answered."""
    for job in jobs:
        worker = getattr(job, "__self__", None)
        if isinstance(worker, Deliveries):
            yield worker, [Method(name="_deliver", span="deliver mail", asked=calls.mail_asked, begins=True)]
            yield worker.mailer, [Method(name="send", span="send mail", calls_out=True)]
        elif isinstance(worker, BackchannelLogout):
            deliver = Method(name="_deliver", span="deliver logout notice", asked=calls.notice_asked, begins=True)
            yield worker, [deliver]


def _named(**spans: str) -> list[Method]:
    """By the method's name."""
    return [Method(name=name, span=span) for name, span in spans.items()]
