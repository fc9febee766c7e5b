"""Postgres: whether it keeps what it was told, for whom, and how many it serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, DatabaseFacts, ReplicaFacts, Stores, Verdict
from idp.services.operation.doctor.clocks import clock

OLDEST_POSTGRES = 15
NOTICED_LAG = timedelta(seconds=5)


async def examine_database(stores: Stores, connections: int) -> tuple[list[Check], bool]:
    """
    *connections*: what this node may open, over all its processes.

    Beside the checks: whether it answers and has every table, so that its contents can be looked at.
    """
    try:
        facts = await stores.database()
    except StoreUnavailable as fault:
        remedy = "Check IDP_DATABASE_URL and that Postgres runs."
        return [Check(Item.DATABASE, Verdict.FAILED, f"The database does not answer ({fault}).", remedy)], False
    checks = [
        _version(facts),
        _migrations(facts),
        _rights(facts),
        await _roles(stores, facts),
        _tls(facts),
        _commit(facts),
        _timeouts(facts),
        _connections(facts, connections),
        clock(Item.DATABASE_CLOCK, facts.clock_ahead),
        _replicas(await stores.replicas()),
    ]
    return checks, not facts.missing_steps


def _version(facts: DatabaseFacts) -> Check:
    if facts.version < OLDEST_POSTGRES:
        remedy = f"Use {OLDEST_POSTGRES} or newer."
        return Check(Item.DATABASE, Verdict.FAILED, f"Postgres {facts.version} is too old.", remedy)
    return Check(Item.DATABASE, Verdict.OK, f"Postgres {facts.version} answers.")


def _migrations(facts: DatabaseFacts) -> Check:
    if facts.missing_steps:
        finding = f"The database lacks {', '.join(facts.missing_steps)}."
        return Check(Item.MIGRATIONS, Verdict.FAILED, finding, "Run `idp db migrate`.")
    return Check(Item.MIGRATIONS, Verdict.OK, "The database is at the newest step.")


def _rights(facts: DatabaseFacts) -> Check:
    excess = {
        "is a superuser": facts.rights.superuser,
        "can create or change tables": facts.rights.changes_tables,
        "can rewrite the audit trail": facts.rights.rewrites_trail,
    }
    found = [words for words, has in excess.items() if has]
    if found:
        finding = f"Role {facts.role}, which serves, {', '.join(found)}."
        remedy = "Take these rights from it: reading and writing rows is enough."
        return Check(Item.DATABASE_RIGHTS, Verdict.UNSAFE, finding, remedy)
    return Check(Item.DATABASE_RIGHTS, Verdict.OK, f"Role {facts.role} reads and writes rows, nothing else.")


async def _roles(stores: Stores, facts: DatabaseFacts) -> Check:
    try:
        owner = await stores.migrating_role()
    except StoreUnavailable as fault:
        finding = f"The role that migrates cannot connect ({fault})."
        return Check(Item.DATABASE_ROLES, Verdict.WARNING, finding, "Check IDP_MIGRATION_DATABASE_URL.")
    if owner == facts.role:
        finding = f"Role {owner} both serves and migrates, or IDP_MIGRATION_DATABASE_URL is not set here."
        remedy = "Give IDP_DATABASE_URL a role of its own that only reads and writes rows."
        # Nodes that serve need not know the owner: what the role may do is what `database-rights` looks at.
        excess = facts.rights.superuser or facts.rights.changes_tables
        return Check(Item.DATABASE_ROLES, Verdict.UNSAFE if excess else Verdict.OK, finding, remedy if excess else "")
    return Check(Item.DATABASE_ROLES, Verdict.OK, f"Role {facts.role} serves, {owner} migrates.")


def _tls(facts: DatabaseFacts) -> Check:
    transport = facts.transport
    if transport.local:
        return Check(Item.DATABASE_TLS, Verdict.OK, "The connection stays on this machine.")
    if not transport.encrypted:
        finding = "The connection is not encrypted: addresses and password hashes cross the network in clear."
        return Check(Item.DATABASE_TLS, Verdict.WARNING, finding, "Add ?sslmode=verify-full to the URLs.")
    if not transport.verified:
        finding = "TLS protects the connection, but nobody looks at the server's certificate."
        return Check(Item.DATABASE_TLS, Verdict.NOTE, finding, "Use sslmode=verify-full.")
    return Check(Item.DATABASE_TLS, Verdict.OK, "TLS protects the connection, and the certificate is verified.")


def _commit(facts: DatabaseFacts) -> Check:
    off = sorted(name for name, value in facts.commit.items() if value == "off")
    if off:
        finding = f"{', '.join(off)} is off: a crash loses sign-ins, revocations and events that were acknowledged."
        return Check(Item.DATABASE_COMMIT, Verdict.UNSAFE, finding, f"Set {' = on, '.join(off)} = on in Postgres.")
    told = facts.commit.get("synchronous_commit", "on")
    return Check(Item.DATABASE_COMMIT, Verdict.OK, f"What is acknowledged is on disk (synchronous_commit {told}).")


def _timeouts(facts: DatabaseFacts) -> Check:
    without = sorted(name for name, milliseconds in facts.timeouts.items() if not milliseconds)
    if without:
        finding = f"Role {facts.role} has no {', '.join(without)}: a hung node may hold its locks."
        remedy = f"Run: ALTER ROLE {facts.role} SET {without[0]} = '5s' and so on; docs/production.md has all."
        return Check(Item.DATABASE_TIMEOUTS, Verdict.NOTE, finding, remedy)
    return Check(Item.DATABASE_TIMEOUTS, Verdict.OK, f"Role {facts.role} waits and works for a bounded time.")


def _connections(facts: DatabaseFacts, needed: int) -> Check:
    most = facts.connections.most
    finding = f"This node opens up to {needed}; the server gives {most}, {facts.connections.used} are in use."
    if needed > most:
        remedy = "Lower IDP_DATABASE_POOL or IDP_WORKERS, raise max_connections, or put pgbouncer in between."
        return Check(Item.DATABASE_CONNECTIONS, Verdict.WARNING, finding, remedy)
    if 2 * needed > most:
        remedy = "A second node of this size does not fit: lower IDP_DATABASE_POOL or raise max_connections."
        return Check(Item.DATABASE_CONNECTIONS, Verdict.NOTE, finding, remedy)
    return Check(Item.DATABASE_CONNECTIONS, Verdict.OK, finding)


def _replicas(replicas: Sequence[ReplicaFacts]) -> Check:
    if not replicas:
        return Check(Item.DATABASE_REPLICAS, Verdict.OK, "No replica is configured.")
    judged = [_replica(place, replica) for place, replica in enumerate(replicas, 1)]
    worst = max((verdict for verdict, _ in judged), key=list(Verdict).index)
    finding = " ".join(words for _, words in judged)
    remedy = "" if worst is Verdict.OK else "Check IDP_DATABASE_REPLICA_URLS and the replication of Postgres."
    return Check(Item.DATABASE_REPLICAS, worst, finding, remedy)


def _replica(place: int, replica: ReplicaFacts) -> tuple[Verdict, str]:
    if replica.fault is not None:
        return Verdict.WARNING, f"Replica {place} does not answer ({replica.fault})."
    if not replica.standby:
        return Verdict.WARNING, f"Replica {place} is no standby: it takes writes, or was promoted."
    if replica.lag is None:
        return Verdict.WARNING, f"Replica {place} has replayed nothing yet."
    verdict = Verdict.WARNING if replica.lag > NOTICED_LAG else Verdict.OK
    return verdict, f"Replica {place} is {replica.lag.total_seconds():.1f} s behind."
