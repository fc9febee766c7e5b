"""What is told of all that happens: the audit trail's own upkeep, what is suspicious in it, and the metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from idp.bootstrap.background import Job, repeated
from idp.bootstrap.outside import Outside, now
from idp.domain.audit.events import ForgedTokenPresented, RefreshTokenOfAnotherClient, TokensRefreshed
from idp.domain.operation.signing_keys import KeyState
from idp.repositories.audit.patterns import PostgresPatterns
from idp.repositories.audit.trail import PostgresAudit
from idp.services.audit.audit_verification import AuditVerification
from idp.services.audit.counted_events import CountedEvents
from idp.services.audit.patterns import PatternWatch
from idp.services.tokens.refresh_watch import RefreshWatch
from idp.settings import Settings

log = structlog.get_logger("idp.audit")

# A command that ends within seconds leaves these to the server.
FIRST_AFTER = timedelta(seconds=10)
LOOK_EVERY = timedelta(seconds=30)
CLOSE_EVERY = timedelta(minutes=1)
PRUNE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    audit: PostgresAudit
    verification: AuditVerification
    patterns: PatternWatch
    forged_tokens: CountedEvents
    refreshes: CountedEvents
    refresh_watch: RefreshWatch
    metrics_text: Callable[[], Awaitable[bytes]]
    jobs: tuple[Job, ...]


def observing(settings: Settings, outside: Outside) -> Observing:
    metrics, trail = outside.metrics, outside.trail
    audit = PostgresAudit(outside.postgres, outside.reading, trail)
    patterns = PatternWatch(PostgresPatterns(outside.postgres, trail), now)
    refreshes = CountedEvents(TokensRefreshed, trail, now=now, interval=2.0, most=20_000)
    strangers = CountedEvents(RefreshTokenOfAnotherClient, trail, now=now, interval=60.0, most=100)
    forged_tokens = CountedEvents(ForgedTokenPresented, trail, now=now, interval=60.0, most=100)
    _watch(outside)
    return Observing(
        audit=audit,
        verification=AuditVerification(audit),
        patterns=patterns,
        forged_tokens=forged_tokens,
        refreshes=refreshes,
        refresh_watch=RefreshWatch(refreshes, strangers, metrics.refresh, metrics.family),
        metrics_text=metrics.text,
        jobs=(
            metrics.run,
            refreshes.run,
            strangers.run,
            forged_tokens.run,
            repeated(LOOK_EVERY, patterns.look, first_after=FIRST_AFTER),
            repeated(CLOSE_EVERY, audit.close_days, first_after=FIRST_AFTER),
            repeated(PRUNE_EVERY, lambda: _prune(audit, settings.audit_retention), first_after=FIRST_AFTER),
        ),
    )


def _watch(outside: Outside) -> None:
    outside.metrics.watch_pool(outside.postgres.pool_state)
    outside.metrics.watch_replicas(outside.replicas.states)
    outside.metrics.watch_queue(lambda: outside.passwords.waiting)
    outside.metrics.watch_key(lambda: _age_of_signing_key(outside))


def _age_of_signing_key(outside: Outside) -> float | None:
    """Of the oldest one, whatever its algorithm: it is the one to be rotated."""
    made = min((key.created_at for key in outside.keys.list() if key.state is KeyState.ACTIVE), default=None)
    return (now() - made).total_seconds() if made else None


async def _prune(audit: PostgresAudit, configured: timedelta) -> None:
    policy = await audit.retention()
    if policy != configured:
        kept = None if policy is None else int(policy.total_seconds())
        log.warning("audit_retention_differs", database=kept, configured=int(configured.total_seconds()))
    await audit.prune()
