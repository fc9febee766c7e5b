"""Redis or Valkey: what it keeps, what it forgets, and who may ask it."""

from __future__ import annotations

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import CacheFacts, Check, Stores, Verdict
from idp.services.operation.doctor.clocks import clock

OLDEST_REDIS = 7
FULL = 0.8  # of maxmemory
MIB = 2**20
NO_EVICTION = "Set maxmemory-policy noeviction."


async def examine_cache(stores: Stores) -> list[Check]:
    try:
        facts = await stores.cache()
    except StoreUnavailable as fault:
        remedy = "Check IDP_REDIS_URL and that Redis or Valkey runs."
        return [Check(Item.REDIS, Verdict.FAILED, f"Redis does not answer ({fault}).", remedy)]
    return [
        _version(facts),
        _password(facts),
        _tls(facts),
        _eviction(facts),
        _persistence(facts),
        _memory(facts),
        _replicas(facts),
        clock(Item.REDIS_CLOCK, facts.clock_ahead),
    ]


def _version(facts: CacheFacts) -> Check:
    major = facts.version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST_REDIS:
        finding = f"Redis {facts.version} is too old."
        return Check(Item.REDIS, Verdict.FAILED, finding, f"Use {OLDEST_REDIS} or newer.")
    return Check(Item.REDIS, Verdict.OK, f"Version {facts.version} answers.")


def _password(facts: CacheFacts) -> Check:
    if facts.open_to_all:
        finding = "It answers who has no password: limits and used tokens can be forgotten by anybody who reaches it."
        remedy = "Set requirepass, or an ACL, and give IDP_REDIS_URL the password."
        return Check(Item.REDIS_PASSWORD, Verdict.UNSAFE, finding, remedy)
    return Check(Item.REDIS_PASSWORD, Verdict.OK, "It answers nobody without a password.")


def _tls(facts: CacheFacts) -> Check:
    if facts.transport.encrypted or facts.transport.local:
        words = "TLS protects the connection." if facts.transport.encrypted else "The connection stays on this machine."
        return Check(Item.REDIS_TLS, Verdict.OK, words)
    finding = "The connection is not encrypted: the password of the store crosses the network in clear."
    return Check(Item.REDIS_TLS, Verdict.WARNING, finding, "Use rediss://, or a network that nobody else is on.")


def _eviction(facts: CacheFacts) -> Check:
    policy = facts.maxmemory_policy
    if policy == "noeviction":
        return Check(Item.REDIS_EVICTION, Verdict.OK, "Nothing is evicted.")
    if policy is None:
        finding = "Redis does not tell its maxmemory-policy."
        return Check(Item.REDIS_EVICTION, Verdict.WARNING, finding, NO_EVICTION)
    finding = f"Under memory pressure Redis forgets refresh tokens (maxmemory-policy {policy})."
    return Check(Item.REDIS_EVICTION, Verdict.UNSAFE, finding, NO_EVICTION)


def _persistence(facts: CacheFacts) -> Check:
    if facts.append_failed:
        finding = "The append-only file is on, and its last write failed."
        return Check(Item.REDIS_PERSISTENCE, Verdict.FAILED, finding, "Look at the disk and the log of the store.")
    if facts.appends:
        return Check(Item.REDIS_PERSISTENCE, Verdict.OK, "The append-only file is on.")
    finding = "The append-only file is off: a restart forgets which refresh tokens were used."
    return Check(Item.REDIS_PERSISTENCE, Verdict.WARNING, finding, "Set appendonly yes and appendfsync everysec.")


def _memory(facts: CacheFacts) -> Check:
    used = f"{facts.used_memory / MIB:,.0f} MiB in use"
    if not facts.maxmemory:
        return Check(Item.REDIS_MEMORY, Verdict.OK, f"{used}, maxmemory is not set.")
    finding = f"{used} of {facts.maxmemory / MIB:,.0f} MiB."
    if facts.used_memory > FULL * facts.maxmemory:
        remedy = "Raise maxmemory: a store that is full refuses sign-ins and refreshes with 503."
        return Check(Item.REDIS_MEMORY, Verdict.WARNING, finding, remedy)
    return Check(Item.REDIS_MEMORY, Verdict.OK, finding)


def _replicas(facts: CacheFacts) -> Check:
    if facts.alone is None:
        return Check(Item.REDIS_REPLICAS, Verdict.OK, "One server: while it is down nobody signs in, nothing is lost.")
    if facts.alone:
        finding = f"Without a replica: {facts.alone} of {facts.masters} masters. Nothing takes over when one ends."
        return Check(Item.REDIS_REPLICAS, Verdict.WARNING, finding, "Start a replica of each master.")
    return Check(Item.REDIS_REPLICAS, Verdict.OK, f"With a replica: {facts.masters} of {facts.masters} masters.")
