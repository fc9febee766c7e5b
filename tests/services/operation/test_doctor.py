"""How an examination judges facts that no store of the tests has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import (
    AdministratorFacts,
    CacheFacts,
    Check,
    ClientFacts,
    Connections,
    DatabaseFacts,
    KeyFacts,
    ReplicaFacts,
    Rights,
    Stores,
    TrailFacts,
    Transport,
    Verdict,
)
from idp.domain.operation.signing_keys import KeyState, SigningKey
from idp.services.operation.doctor import examine_cache, examine_contents, examine_database, examine_keys

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NONE = timedelta(0)
YEAR = timedelta(days=365)
TLS = Transport(local=False, encrypted=True, verified=True)
DATABASE = DatabaseFacts(
    role="app",
    version=18,
    clock_ahead=NONE,
    missing_steps=(),
    rights=Rights(superuser=False, changes_tables=False, rewrites_trail=False),
    transport=TLS,
    commit={"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"},
    timeouts={"statement_timeout": 5000, "lock_timeout": 2000, "idle_in_transaction_session_timeout": 10000},
    connections=Connections(most=97, used=3),
)
CACHE = CacheFacts(
    version="8.0.1",
    clock_ahead=NONE,
    maxmemory_policy="noeviction",
    appends=True,
    append_failed=False,
    used_memory=10,
    maxmemory=100,
    transport=TLS,
    open_to_all=False,
)
ADMINISTRATORS = AdministratorFacts(active=2, built_in_address=False, bootstrap_password=None)
TRAIL = TrailFacts(events=3, policy=YEAR)
CLIENT = ClientFacts(
    client_id="app",
    auth_method="private_key_jwt",
    grant_types=("authorization_code",),
    scope="openid",
    application_type="web",
    require_pkce=True,
    redirect_uris=("https://app.example/cb",),
    post_logout_redirect_uris=(),
    origins=(),
)
KEY = SigningKey(
    kid="k",
    algorithm="RS256",
    bits=2048,
    state=KeyState.ACTIVE,
    created_at=NOW,
    activates_at=NOW,
    unpublished_at=None,
)
KEYS = KeyFacts(mode=0o700, made_at=NOW - timedelta(days=30), keys=(KEY,))


class Told(Stores):
    """Stores that tell these facts. Not a store of ours: nothing is kept."""

    def __init__(
        self,
        *,
        database: DatabaseFacts = DATABASE,
        cache: CacheFacts = CACHE,
        owner: str | None = "owner",
        replicas: Sequence[ReplicaFacts] = (),
        clients: Sequence[ClientFacts] = (CLIENT,),
        administrators: AdministratorFacts = ADMINISTRATORS,
        trail: TrailFacts = TRAIL,
    ) -> None:
        self._database, self._cache, self._owner, self._replicas = database, cache, owner, replicas
        self._clients, self._administrators, self._trail = clients, administrators, trail

    async def database(self) -> DatabaseFacts:
        return self._database

    async def migrating_role(self) -> str:
        if self._owner is None:
            raise StoreUnavailable(reason="postgres: TimeoutError")
        return self._owner

    async def replicas(self) -> Sequence[ReplicaFacts]:
        return self._replicas

    async def clients(self) -> Sequence[ClientFacts]:
        return self._clients

    async def administrators(self) -> AdministratorFacts:
        return self._administrators

    async def trail(self) -> TrailFacts:
        return self._trail

    async def cache(self) -> CacheFacts:
        return self._cache


async def judged(stores: Stores) -> dict[Item, Check]:
    database, complete = await examine_database(stores, 20)
    contents = await examine_contents(stores, ("demo-app",), YEAR) if complete else []
    return {check.name: check for check in [*database, *contents, *await examine_cache(stores)]}


async def test_good_facts_are_ok() -> None:
    assert {check.verdict for check in (await judged(Told())).values()} == {Verdict.OK}


def database(**facts: object) -> Told:
    return Told(database=replace(DATABASE, **facts))


def cache(**facts: object) -> Told:
    return Told(cache=replace(CACHE, **facts))


def client(**facts: object) -> Told:
    return Told(clients=(replace(CLIENT, **facts), CLIENT))


def replica(**facts: object) -> Told:
    return Told(replicas=(ReplicaFacts(standby=True, lag=NONE), ReplicaFacts(**facts)))


LAN = Transport(local=False)
UNVERIFIED = Transport(local=False, encrypted=True)
JUDGED = [
    ("database", "failed", database(version=14)),
    ("database-clock", "warning", database(clock_ahead=timedelta(seconds=-5))),
    ("database-clock", "failed", database(clock_ahead=timedelta(seconds=40))),
    ("database-rights", "unsafe", database(rights=replace(DATABASE.rights, superuser=True))),
    ("database-rights", "unsafe", database(rights=replace(DATABASE.rights, rewrites_trail=True))),
    ("database-roles", "warning", Told(owner=None)),
    ("database-tls", "warning", database(transport=LAN)),
    ("database-tls", "note", database(transport=UNVERIFIED)),
    ("database-tls", "ok", database(transport=Transport(local=True))),
    ("database-commit", "unsafe", database(commit={"synchronous_commit": "off", "fsync": "on"})),
    ("database-timeouts", "note", database(timeouts={"statement_timeout": 0, "lock_timeout": 2000})),
    ("database-connections", "warning", database(connections=Connections(most=19, used=1))),
    ("database-connections", "note", database(connections=Connections(most=39, used=1))),
    ("database-replicas", "ok", replica(standby=True, lag=timedelta(seconds=1))),
    ("database-replicas", "warning", replica(standby=True, lag=timedelta(minutes=1))),
    ("database-replicas", "warning", replica(standby=True)),
    ("database-replicas", "warning", replica(standby=False, lag=NONE)),
    ("database-replicas", "warning", replica(fault="postgres: TimeoutError")),
    ("administrators", "warning", Told(administrators=replace(ADMINISTRATORS, active=0))),
    ("administrators", "warning", Told(administrators=replace(ADMINISTRATORS, built_in_address=True))),
    ("administrators", "note", Told(administrators=replace(ADMINISTRATORS, active=1))),
    ("admin-password", "unsafe", Told(administrators=replace(ADMINISTRATORS, bootstrap_password=True))),
    ("admin-password", "note", Told(administrators=replace(ADMINISTRATORS, bootstrap_password=False))),
    ("demo-clients", "unsafe", client(client_id="demo-app")),
    ("client-addresses", "warning", client(redirect_uris=("http://127.0.0.1/cb",))),
    ("client-addresses", "warning", client(origins=("http://localhost:5173",))),
    ("client-addresses", "ok", client(application_type="native", redirect_uris=("http://127.0.0.1/cb",))),
    ("client-pkce", "warning", client(require_pkce=False)),
    ("client-pkce", "ok", client(require_pkce=False, grant_types=("client_credentials",))),
    ("password-grant", "warning", client(grant_types=("password",), auth_method="none")),
    ("password-grant", "note", client(grant_types=("password",))),
    ("privileged-clients", "note", client(scope="openid idp:account")),
    ("privileged-clients", "note", client(scope="idp:account", auth_method="none")),
    ("privileged-clients", "note", client(scope="openid idp:admin")),
    ("privileged-clients", "warning", client(scope="openid idp:admin", auth_method="none")),
    ("audit-trail", "failed", Told(trail=replace(TRAIL, state="changed at 3"))),
    ("audit-trail", "note", Told(trail=replace(TRAIL, finished=False))),
    ("audit-retention", "warning", Told(trail=replace(TRAIL, policy=None))),
    ("audit-retention", "warning", Told(trail=replace(TRAIL, oldest=timedelta(days=400)))),
    ("redis", "failed", cache(version="6.2.0")),
    ("redis-eviction", "warning", cache(maxmemory_policy=None)),
    ("redis-eviction", "unsafe", cache(maxmemory_policy="allkeys-lru")),
    ("redis-persistence", "warning", cache(appends=False)),
    ("redis-persistence", "failed", cache(append_failed=True)),
    ("redis-memory", "warning", cache(used_memory=90)),
    ("redis-memory", "ok", cache(maxmemory=0)),
    ("redis-password", "unsafe", cache(open_to_all=True)),
    ("redis-tls", "warning", cache(transport=LAN)),
    ("redis-clock", "failed", cache(clock_ahead=timedelta(minutes=2))),
]


@pytest.mark.parametrize(
    ("name", "verdict", "stores"), JUDGED, ids=[f"{line[0]}-{line[1]}-{place}" for place, line in enumerate(JUDGED)]
)
async def test_facts_of_stores_are_judged(name: str, verdict: str, stores: Stores) -> None:
    found = (await judged(stores))[Item(name)]

    assert found.verdict == verdict
    assert bool(found.remedy) is (found.verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("keys", "verdicts"),
    [
        (KEYS, {}),
        (replace(KEYS, made_at=NOW - timedelta(days=400)), {"signing-key": "warning"}),
        (replace(KEYS, mode=0o770), {"keys": "failed"}),
        (replace(KEYS, mode=0o755), {"keys": "note"}),
        (replace(KEYS, configured_bits=4096), {"key-size": "note"}),
        (replace(KEYS, keys=(KEY,) * 9), {"old-keys": "note"}),
        (KeyFacts(), {"keys": "warning"}),
        (KeyFacts(mode=0o700, fault="keys/x.json: is damaged."), {"keys": "failed"}),
    ],
    ids=["good", "old", "open", "listed", "short", "many", "none", "damaged"],
)
def test_facts_of_keys_are_judged(keys: KeyFacts, verdicts: dict[str, str]) -> None:
    found = {check.name: check.verdict.value for check in examine_keys(keys, NOW)}

    assert {name: verdict for name, verdict in found.items() if verdict != "ok"} == verdicts


def test_what_is_unsafe_is_a_warning_in_development() -> None:
    check = Check(Item.REDIS_PASSWORD, Verdict.UNSAFE, "It answers.", "Set one.")

    assert check.weighed(production=True).verdict is Verdict.UNSAFE
    assert check.weighed(production=False).verdict is Verdict.WARNING
