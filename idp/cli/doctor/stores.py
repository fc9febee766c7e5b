"""The stores, asked as they are: configured, or embedded and of a server that runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from idp.cli.environment import embeds, with_urls
from idp.cli.preparation import DEMO_APP, DEMO_SPA
from idp.database.postgres import Postgres
from idp.domain.accounts.users import canonical_email
from idp.domain.audit.trail import ExaminedDay
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, TrailFacts, Verdict
from idp.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores, StoreUrls
from idp.gateways.passwords import BcryptPasswords
from idp.repositories.audit.events import AuditTrail
from idp.repositories.audit.trail import PostgresAudit
from idp.repositories.operation.diagnosis import StoreExamination
from idp.repositories.reading import Reading
from idp.services.audit.audit_verification import AuditVerification
from idp.services.operation.doctor import examine_cache, examine_contents, examine_database
from idp.settings import Settings
from idp.settings.fields import SETTINGS

TRAIL_DEADLINE = 10.0  # seconds for the newest day of the trail: about 100,000 events
BUILT_IN_ADDRESS = next(setting.default for setting in SETTINGS if setting.name == "IDP_ADMIN_EMAIL") or ""


def examined(settings: Settings) -> list[Check]:
    try:
        attached = EmbeddedStores(settings.data_dir).attach() if embeds(settings) else None
    except (EmbeddedBusy, EmbeddedFailed, OSError) as fault:
        remedy = "Run this as the user of the server, when it has started."
        return [Check(Item.DATABASE, Verdict.FAILED, f"The embedded stores cannot be asked ({fault}).", remedy)]
    return asyncio.run(_examined(settings, with_urls(settings, attached)))


async def _examined(settings: Settings, urls: StoreUrls) -> list[Check]:
    stores = _stores(settings, urls)
    database = await _database(settings, stores) if urls.database else [_stopped(Item.DATABASE, "Postgres")]
    cache = await examine_cache(stores) if urls.redis else [_stopped(Item.REDIS, "Valkey")]
    return [*database, *cache]


async def _database(settings: Settings, stores: StoreExamination) -> list[Check]:
    checks, complete = await examine_database(stores, settings.workers * settings.database_pool)
    if not complete:
        return checks
    return [*checks, *await examine_contents(stores, (DEMO_APP, DEMO_SPA), settings.audit_retention)]


def _stopped(item: Item, store: str) -> Check:
    finding = f"The embedded {store} is not running, so it was not examined."
    return Check(item, Verdict.WARNING, finding, "Ask again while `idp serve` runs.")


def _stores(settings: Settings, urls: StoreUrls) -> StoreExamination:
    async def still_opens(stored: str | None) -> bool | None:
        """At the cost of one bcrypt."""
        if settings.admin_password is None:
            return None
        passwords = BcryptPasswords(settings.bcrypt_rounds, 1)
        try:
            return stored is not None and (await passwords.verify(settings.admin_password, stored)).matched
        finally:
            passwords.close()

    return StoreExamination(
        database_url=urls.database,
        migration_url=urls.migration,
        replica_urls=settings.database_replica_urls,
        redis_url=urls.redis,
        built_in=canonical_email(BUILT_IN_ADDRESS),
        first=canonical_email(settings.admin_email),
        still_opens=still_opens,
        trail=lambda: _trail(urls.database),
    )


async def _trail(url: str) -> TrailFacts:
    postgres = Postgres(url, 2)
    await postgres.open()
    try:
        return await _facts(PostgresAudit(postgres, Reading.primary_alone(postgres), AuditTrail(postgres)))
    finally:
        await postgres.close()


async def _facts(trail: PostgresAudit) -> TrailFacts:
    days, policy = await trail.days(), await trail.retention()
    oldest = datetime.now(UTC).date() - days[0] if days else timedelta(0)
    try:
        async with asyncio.timeout(TRAIL_DEADLINE):
            newest = await AuditVerification(trail).newest()
    except TimeoutError:
        return TrailFacts(finished=False, policy=policy, oldest=oldest)
    return TrailFacts(
        state=_state(newest), events=newest.events if newest else 0, policy=policy, oldest=max(oldest, timedelta(0))
    )


def _state(day: ExaminedDay | None) -> str | None:
    if day is None or day.fault is None:
        return None
    return f"{day.fault} at {day.seq}" if day.seq is not None else str(day.fault)
