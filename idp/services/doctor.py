"""
Examining an installation: what answers, and what is unsafe.

What production must not have is a failure there and a warning in development, where it is often meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.domain.diagnosis import CacheFacts, Check, DatabaseFacts, KeyFacts, Stores, Verdict
from idp.domain.errors import StoreUnavailable

OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
NOTICED_SKEW = timedelta(seconds=2)
REFUSED_SKEW = timedelta(seconds=30)
OLDEST_KEY = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    production: bool
    now: Callable[[], datetime]

    def examine_keys(self, keys: KeyFacts) -> Iterator[Check]:
        if keys.fault is not None:
            yield Check("keys", Verdict.FAILED, keys.fault)
            return
        if keys.mode is None or keys.made_at is None:
            yield Check(
                "keys", Verdict.WARNING, "There is no signing key yet.", "Run `idp keys rotate`, or start the server."
            )
            return
        yield _folder(keys.mode)
        age = self.now() - keys.made_at
        if age > OLDEST_KEY:
            yield Check(
                "signing key", Verdict.WARNING, f"The active key is {age.days} days old.", "Run `idp keys rotate`."
            )
        else:
            yield Check("signing key", Verdict.OK, f"The active key is {max(age.days, 0)} days old.")

    async def examine_database(self, stores: Stores) -> list[Check]:
        try:
            facts = await stores.database()
        except StoreUnavailable as fault:
            remedy = "Check IDP_DATABASE_URL and that Postgres runs."
            return [Check("database", Verdict.FAILED, f"The database does not answer ({fault}).", remedy)]
        return [
            _postgres_version(facts),
            _migrations(facts),
            self._rights(facts),
            await self._roles(stores, facts),
            _clock("database clock", facts.clock_ahead),
        ]

    async def _roles(self, stores: Stores, facts: DatabaseFacts) -> Check:
        name = "database roles"
        try:
            owner = await stores.migrating_role()
        except StoreUnavailable as fault:
            finding = f"The role that migrates cannot connect ({fault})."
            return Check(name, Verdict.WARNING, finding, "Check IDP_MIGRATION_DATABASE_URL.")
        if owner == facts.role:
            finding = f"Role {owner} both serves and migrates."
            remedy = "Give IDP_DATABASE_URL a role of its own that only reads and writes rows."
            return Check(name, self._unsafe, finding, remedy)
        return Check(name, Verdict.OK, f"Role {facts.role} serves, {owner} migrates.")

    def _rights(self, facts: DatabaseFacts) -> Check:
        excess = {
            "is a superuser": facts.rights.superuser,
            "can create or change tables": facts.rights.changes_tables,
            "can rewrite the audit trail": facts.rights.rewrites_trail,
        }
        found = [words for words, has in excess.items() if has]
        if found:
            finding = f"Role {facts.role}, which serves, {', '.join(found)}."
            remedy = "Take these rights from it: reading and writing rows is enough."
            return Check("database rights", self._unsafe, finding, remedy)
        return Check("database rights", Verdict.OK, f"Role {facts.role} reads and writes rows, nothing else.")

    async def examine_cache(self, stores: Stores) -> list[Check]:
        try:
            facts = await stores.cache()
        except StoreUnavailable as fault:
            remedy = "Check IDP_REDIS_URL and that Redis or Valkey runs."
            return [Check("redis", Verdict.FAILED, f"Redis does not answer ({fault}).", remedy)]
        return [
            _redis_version(facts),
            self._eviction(facts),
            self._persistence(facts),
            _clock("redis clock", facts.clock_ahead),
            *_replicas(facts),
        ]

    def _eviction(self, facts: CacheFacts) -> Check:
        policy = facts.maxmemory_policy
        if policy == "noeviction":
            return Check("redis eviction", Verdict.OK, "Nothing is evicted.")
        if policy is None:
            return Check("redis eviction", Verdict.WARNING, "Redis does not tell its maxmemory-policy.", NO_EVICTION)
        finding = f"Under memory pressure Redis forgets refresh tokens (maxmemory-policy {policy})."
        return Check("redis eviction", self._unsafe, finding, NO_EVICTION)

    def _persistence(self, facts: CacheFacts) -> Check:
        if facts.appends:
            return Check("redis persistence", Verdict.OK, "The append-only file is on.")
        finding = "The append-only file is off: a restart forgets which refresh tokens were used."
        return Check("redis persistence", Verdict.WARNING, finding, "Set appendonly yes and appendfsync everysec.")

    @property
    def _unsafe(self) -> Verdict:
        return Verdict.FAILED if self.production else Verdict.WARNING


NO_EVICTION = "Set maxmemory-policy noeviction."


def _postgres_version(facts: DatabaseFacts) -> Check:
    if facts.version < OLDEST_POSTGRES:
        remedy = f"Use {OLDEST_POSTGRES} or newer."
        return Check("database", Verdict.FAILED, f"Postgres {facts.version} is too old.", remedy)
    return Check("database", Verdict.OK, f"Postgres {facts.version} answers.")


def _redis_version(facts: CacheFacts) -> Check:
    major = facts.version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST_REDIS:
        return Check("redis", Verdict.FAILED, f"Redis {facts.version} is too old.", f"Use {OLDEST_REDIS} or newer.")
    return Check("redis", Verdict.OK, f"Version {facts.version} answers.")


def _replicas(facts: CacheFacts) -> Iterator[Check]:
    name = "redis replicas"
    if facts.alone:
        finding = f"Without a replica: {facts.alone} of {facts.masters} masters. Nothing takes over when one ends."
        yield Check(name, Verdict.WARNING, finding, "Start a replica of each master.")
    elif facts.alone == 0:
        yield Check(name, Verdict.OK, f"With a replica: {facts.masters} of {facts.masters} masters.")


def _migrations(facts: DatabaseFacts) -> Check:
    if facts.missing_steps:
        finding = f"The database lacks {', '.join(facts.missing_steps)}."
        return Check("migrations", Verdict.FAILED, finding, "Run `idp db migrate`.")
    return Check("migrations", Verdict.OK, "The database is at the newest step.")


def _clock(name: str, ahead: timedelta) -> Check:
    skew = abs(ahead)
    finding = f"It differs from the clock of this machine by {skew.total_seconds():.1f} s."
    if skew < NOTICED_SKEW:
        return Check(name, Verdict.OK, finding)
    return Check(
        name, Verdict.FAILED if skew >= REFUSED_SKEW else Verdict.WARNING, finding, "Run NTP on both machines."
    )


def _folder(mode: int) -> Check:
    if mode & 0o022:
        finding = f"Other users can put keys into the folder (mode {mode:04o})."
        return Check("keys", Verdict.FAILED, finding, "Run chmod 700 on IDP_KEYS_DIR.")
    return Check("keys", Verdict.OK, "Only its owner can put keys into the folder.")
