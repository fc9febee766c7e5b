"""
What an examination of an installation finds: checks with a verdict, and the facts of the stores that they rest on.

Facts hold no address of a user, no row and no secret, so that all of them may be printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from idp.domain.operation.checklist import Item
from idp.domain.operation.signing_keys import SigningKey


class Verdict(StrEnum):
    """From good to bad. UNSAFE is what production must not have, FAILED what does not work or does not answer."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    UNSAFE = "unsafe"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """*finding* says what is, *remedy* what to do about it: one sentence, empty when all is well."""

    name: Item
    verdict: Verdict
    finding: str
    remedy: str = ""

    def weighed(self, *, production: bool) -> Check:
        """What is unsafe in production is often meant elsewhere: there it is a warning."""
        if self.verdict is Verdict.UNSAFE and not production:
            return replace(self, verdict=Verdict.WARNING)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a role may do beyond reading and writing rows."""

    superuser: bool
    changes_tables: bool
    rewrites_trail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """*local*: a socket or loopback, so nothing travels. *verified*: the server's certificate is looked at."""

    local: bool
    encrypted: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """*most* that the server gives to roles without privileges, *used* by all its databases now."""

    most: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """
    *version* is the major one; *clock_ahead* how far the server's clock is before ours.

    *commit* has `fsync`, `full_page_writes`, `synchronous_commit`; *timeouts* those of the runtime role in milliseconds,
    0 for none.
    """

    role: str
    version: int
    clock_ahead: timedelta
    missing_steps: Sequence[str]
    rights: Rights
    transport: Transport
    commit: Mapping[str, str]
    timeouts: Mapping[str, int]
    connections: Connections


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFacts:
    """*fault* says why it was not asked; *lag* None when it does not tell."""

    standby: bool = False
    lag: timedelta | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """What is registered of one client that is enabled."""

    client_id: str
    auth_method: str | None
    grant_types: Sequence[str]
    scope: str
    application_type: str
    require_pkce: bool
    redirect_uris: Sequence[str]
    post_logout_redirect_uris: Sequence[str]
    origins: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministratorFacts:
    """
    *active* ones. *built_in_address*: one of them has the address that idp gives where none is configured.

    *bootstrap_password*: whether IDP_ADMIN_PASSWORD still opens the first one's account; None when it is not set.
    """

    active: int
    built_in_address: bool
    bootstrap_password: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFacts:
    """*state* of the chain of the newest day, None when there is none; *finished* False: it was too long to look at."""

    state: str | None = None
    events: int = 0
    finished: bool = True
    policy: timedelta | None = None
    oldest: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFacts:
    """
    *version* as the server gives it; *maxmemory_policy* None when it does not tell. Memory in bytes, *maxmemory* 0: no bound.

    *open_to_all*: it answers who has no password.

    *alone* is how many of the *masters* have no replica, None where nothing would make a replica take over.
    """

    version: str
    clock_ahead: timedelta
    maxmemory_policy: str | None
    appends: bool
    append_failed: bool
    used_memory: int
    maxmemory: int
    transport: Transport
    open_to_all: bool
    masters: int = 1
    alone: int | None = None


class Stores(Protocol):
    """Each raises `StoreUnavailable` when the store does not answer, or refuses to tell."""

    async def database(self) -> DatabaseFacts: ...

    async def migrating_role(self) -> str: ...

    async def replicas(self) -> Sequence[ReplicaFacts]:
        """Each with its own fault; never raises."""

    async def clients(self) -> Sequence[ClientFacts]: ...

    async def administrators(self) -> AdministratorFacts: ...

    async def trail(self) -> TrailFacts: ...

    async def cache(self) -> CacheFacts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """
    *mode* is that of the folder, None when there is none. *configured_bits*: of RSA keys that are made from now on.

    *made_at* is of the oldest key that signs, None when none signs access tokens.
    """

    mode: int | None = None
    made_at: datetime | None = None
    keys: Sequence[SigningKey] = field(default=())
    configured_bits: int = 2048
    fault: str | None = None
