"""What administrators do, at the command line and over HTTP."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from idp.bootstrap.background import Job, repeated
from idp.bootstrap.outside import Outside, now
from idp.domain.accounts.transfers import Exports
from idp.domain.clients.clients import Clients
from idp.domain.errors import Conflict
from idp.domain.sessions.session_records import SessionRecords
from idp.domain.sign_in.lockout import LockoutPolicy
from idp.repositories.accounts.transfers import PostgresConsentImports, PostgresExports
from idp.repositories.accounts.user_imports import PostgresUserImports
from idp.repositories.accounts.user_records import PostgresUserRecords
from idp.repositories.operation.statistics import StoreStatistics
from idp.repositories.sessions.session_records import PostgresSessionRecords
from idp.services.accounts.imports.client_lines import ClientImport
from idp.services.accounts.imports.consent_lines import ConsentImport
from idp.services.accounts.imports.user_import import UserImport
from idp.services.accounts.user_administration import UserAdministration
from idp.services.clients.client_registration import ClientRegistration
from idp.services.operation.key_administration import KeyAdministration
from idp.services.operation.statistics import Statistics
from idp.services.sessions.sessions import SessionService
from idp.settings import Settings

PROVIDE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportServices:
    users: UserImport
    clients: ClientImport
    consents: ConsentImport


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationServices:
    users: UserAdministration
    imports: ImportServices
    exports: Exports
    clients: ClientRegistration
    sessions: SessionRecords
    keys: KeyAdministration
    statistics: Statistics


def administration_services(settings: Settings, outside: Outside, sessions: SessionService) -> AdministrationServices:
    policy = LockoutPolicy(settings.lockout_attempts, settings.lockout_duration)
    keys = KeyAdministration(keys=outside.keys, events=outside.trail, provision=settings.keys_provision)
    clients = ClientRegistration(clients=outside.clients, keys=keys, now=now)
    return AdministrationServices(
        users=UserAdministration(
            users=outside.users,
            records=PostgresUserRecords(outside.postgres, outside.reading, outside.trail, outside.mails, policy),
            passwords=outside.passwords,
            sessions=sessions,
            session_states=outside.sessions,
            mails=outside.mails,
            events=outside.trail,
            failures=outside.failures,
        ),
        imports=_imports(outside, clients),
        exports=PostgresExports(outside.postgres),
        clients=clients,
        sessions=PostgresSessionRecords(outside.reading),
        keys=keys,
        statistics=Statistics(StoreStatistics(outside.postgres, outside.reading, outside.redis), now),
    )


def _imports(outside: Outside, clients: ClientRegistration) -> ImportServices:
    users = PostgresUserImports(outside.postgres, outside.trail)
    return ImportServices(
        users=UserImport(imports=users, passwords=outside.passwords),
        clients=ClientImport(registration=clients),
        consents=ConsentImport(imports=PostgresConsentImports(outside.postgres, outside.trail)),
    )


def key_provision(clients: Clients, keys: KeyAdministration) -> Job:
    """Keys for what stored clients ask for: their registration makes them, but files get lost, and stores are restored."""

    async def work() -> None:
        with suppress(Conflict):  # the log says why
            await keys.provide(await clients.signing_algorithms())

    return repeated(PROVIDE_EVERY, work)
