"""Clients as JSON lines: what is stored of them, their secrets as digests, so that they work on elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from idp.domain.accounts.user_imports import Entry, Rehearsal
from idp.domain.clients.clients import Client, ClientSecret
from idp.domain.errors import Refusal, StoreUnavailable, ValidationFailed
from idp.services.accounts.imports.members import Members
from idp.services.accounts.imports.tally import Tally
from idp.services.clients.client_registration import ClientRegistration

# Set by the database.
UNTAKEN = ("created_at", "updated_at")
FIELDS = {field.name: str(field.type) for field in fields(Client) if field.name not in UNTAKEN}
DIGEST = re.compile(r"[0-9a-f]{64}")

READERS: Mapping[str, Callable[[Members, str], Any]] = {
    "str": lambda members, name: members.text(name),
    "str | None": lambda members, name: members.text(name),
    "tuple[str, ...]": lambda members, name: tuple(members.texts(name)),
    "bool": lambda members, name: members.flag(name),
    "int | None": lambda members, name: members.number(name),
    "Mapping[str, Any] | None": lambda members, name: members.document(name),
    "tuple[ClientSecret, ...]": lambda members, name: tuple(_secret(each) for each in members.items(name)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientImport:
    registration: ClientRegistration

    async def take(self, entry: Entry, rehearsal: Rehearsal | None = None) -> Tally:
        """With a *rehearsal*, which goes from entry to entry, nothing is written. Raises `StoreUnavailable`."""
        tally = Tally()
        for _, client in tally.readable([entry], client_of):
            try:
                made = await self.registration.restore(client, dry_run=rehearsal is not None)
                made = made and (rehearsal is None or rehearsal.is_first(client.client_id))
                tally.created, tally.known = int(made), int(not made)
            except StoreUnavailable:
                raise
            except ValidationFailed as fault:
                tally.refuse(entry, "; ".join(f"{each.field}: {each.message}" for each in fault.errors))
            except Refusal as fault:
                tally.refuse(entry, fault.detail)
        return tally


def line_of(client: Client) -> dict[str, Any]:
    values = {name: getattr(client, name) for name in FIELDS}
    values["secrets"] = [
        {"digest": secret.digest, "expires_at": secret.expires_at and secret.expires_at.isoformat()}
        for secret in client.secrets
    ]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def client_of(value: object) -> Client:
    """Raises `ValueError`. A member that is left out has its default."""
    members = Members(value)
    members.require_known((*FIELDS, *UNTAKEN))
    for name in ("client_id", "name"):
        if name not in members:
            raise members.fault(name, "a client needs one.")
    return Client(**{name: READERS[kind](members, name) for name, kind in FIELDS.items() if name in members})


def _secret(value: object) -> ClientSecret:
    members = Members(value, "secrets.")
    members.require_known(("digest", "expires_at"))
    digest = members.text("digest")
    if digest is None or not DIGEST.fullmatch(digest):
        raise members.fault("digest", "must be a SHA-256 in 64 hexadecimal digits.")
    return ClientSecret(digest, members.instant("expires_at"))
