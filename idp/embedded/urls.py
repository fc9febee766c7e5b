"""Where the embedded stores answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from idp.embedded.folder import Secrets
from idp.embedded.postgres import PORT, SUPERUSER
from idp.embedded.roles import RoleNames
from idp.embedded.valkey import SOCKET

NAMES = RoleNames()


@dataclass(frozen=True, slots=True)
class StoreUrls:
    """
    Where the stores are, passwords included, so none of it is in the repr.

    *database* is for serving (role idp_app), *migration* for the owner's work (idp_migrate): libpq URLs with the socket's
    folder as `host`. *redis* is a `unix://` URL.
    """

    database: str = field(repr=False)
    migration: str = field(repr=False)
    redis: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sockets:
    """The folders that hold the sockets of a running pair."""

    postgres: Path
    valkey: Path

    def urls(self, secrets: Secrets) -> StoreUrls:
        return StoreUrls(
            database=self._postgres_url(NAMES.runtime, secrets.runtime, NAMES.database),
            migration=self._postgres_url(NAMES.migrate, secrets.migrate, NAMES.database),
            redis=f"unix://:{secrets.valkey}@{quote(str(self.valkey / SOCKET))}",
        )

    def superuser_url(self, secrets: Secrets, database: str) -> str:
        return self._postgres_url(SUPERUSER, secrets.superuser, database)

    def _postgres_url(self, role: str, password: str, database: str) -> str:
        return (
            f"postgresql://{role}:{password}@/{quote(database, safe='')}?host={quote(str(self.postgres))}&port={PORT}"
        )
