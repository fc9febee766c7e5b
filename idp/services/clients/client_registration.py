"""
Registering clients and changing what is registered.

A secret exists in clear only in what `create`, `change` and `rotate_secret` return, once; what is stored is its digest.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from idp.domain.accounts import names
from idp.domain.clients.client_rules import client_faults
from idp.domain.clients.clients import (
    REST_CLIENT,
    SECRET_OVERLAP,
    Client,
    Clients,
    ClientSecret,
    digest_of_secret,
    new_secret,
    version_of,
    with_new_secret,
)
from idp.domain.errors import Conflict, FieldError, NotFound, PreconditionFailed, ValidationFailed
from idp.domain.operation.pages import Page, Place


@dataclass(frozen=True, slots=True)
class Registered:
    """*secret* is the new one, None when none was made."""

    client: Client
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rotated(Registered):
    secret: str = field(repr=False)

    @property
    def client_id(self) -> str:
        return self.client.client_id

    @property
    def previous_expires_at(self) -> datetime | None:
        """None when no other secret works any more."""
        return next((old.expires_at for old in self.client.secrets[1:]), None)


class KeyProvision(Protocol):
    async def provide(self, algorithms: Collection[str]) -> None:
        """Each of *algorithms* has a key that signs. Raises `Conflict` when one is missing and cannot be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistration:
    """A key for what a client wants signed is there before the client: its first ID token must not wait for one."""

    clients: Clients
    keys: KeyProvision
    now: Callable[[], datetime]

    async def create(self, client: Client) -> Registered:
        """
        With a secret, unless it is public or proves itself by a key.

        Raises `ValidationFailed` naming every fault, `Conflict` when the id is taken.
        """
        registered = _with_secret(_faultless(_named(client)))
        await self.keys.provide(client.signing_algorithms)
        if not await self.clients.add(registered.client):
            raise Conflict(f"There is a client {client.client_id} already.")
        return Registered(await self.find(client.client_id), registered.secret)

    async def restore(self, client: Client, *, dry_run: bool = False) -> bool:
        """
        As it was exported, so with the secrets that it has. False when the id is taken: then nothing changes.

        Raises `ValidationFailed` naming every fault, `Conflict` for the built-in client. *dry_run* writes nothing.
        """
        restored = _faultless(_named(replace(client, client_id=_own(client.client_id))))
        if await self.clients.present(client.client_id) is not None:
            return False
        if dry_run:
            return True
        await self.keys.provide(client.signing_algorithms)
        return await self.clients.add(restored if restored.keeps_secret else replace(restored, secrets=()))

    async def find(self, client_id: str) -> Client:
        return _found(await self.clients.present(client_id), client_id)

    async def page(self, search: str | None, limit: int, after: Place | None = None) -> Page[Client]:
        return await self.clients.page(search and unicodedata.normalize("NFC", search), limit, after)

    async def change(self, client_id: str, *, versions: frozenset[str] | None = None, **properties: Any) -> Registered:
        """
        *properties* are fields of `Client`; the others stay. *versions*: only while the client is as one of them says.

        A client that begins to use a secret gets one, one that uses none any more loses its own. Raises `ValidationFailed`,
        `NotFound`, `PreconditionFailed`, `Conflict` for the built-in client.
        """
        known = _found(await self.clients.present(_own(client_id)), client_id)
        await self.keys.provide(replace(known, **properties).signing_algorithms)
        made: list[str] = []

        def changed(old: Client) -> Client:
            if versions is not None and version_of(old) not in versions:
                raise PreconditionFailed
            # The name of a client that is known stays as it is, even one that would not be taken today.
            new = _faultless(_named(replace(old, **properties)) if "name" in properties else replace(old, **properties))
            if not new.keeps_secret:
                return replace(new, secrets=())
            if old.keeps_secret:
                return new
            registered = _with_secret(new)
            made[:] = [registered.secret or ""]
            return registered.client

        _found(await self.clients.change(_own(client_id), changed), client_id)
        return Registered(await self.find(client_id), made[0] if made else None)

    async def rotate_secret(self, client_id: str, overlap: timedelta = SECRET_OVERLAP) -> Rotated:
        """The secret before this one works for *overlap* longer. Raises `NotFound`, `Conflict` when it can have none."""
        secret = new_secret()

        def rotated(old: Client) -> Client:
            if not old.keeps_secret:
                raise Conflict("A client that is public or proves itself by a key has no secret.")
            return replace(old, secrets=with_new_secret(old.secrets, secret, self.now(), overlap))

        return Rotated(_found(await self.clients.change(_own(client_id), rotated), client_id), secret)

    async def remove(self, client_id: str) -> None:
        """With its sessions. Raises `NotFound`, `Conflict` for the built-in client."""
        if not await self.clients.remove(_own(client_id)):
            raise NotFound(f"There is no client {client_id}.")


def _with_secret(client: Client) -> Registered:
    if not client.keeps_secret:
        return Registered(replace(client, secrets=()))
    secret = new_secret()
    return Registered(replace(client, secrets=(ClientSecret(digest_of_secret(secret)),)), secret)


def _named(client: Client) -> Client:
    """With its name in the form to store: users are asked whether they trust it, so nothing in it hides or turns the text."""
    try:
        return replace(client, name=names.line(client.name))
    except ValueError as fault:
        raise ValidationFailed([FieldError("name", str(fault))]) from None


def _faultless(client: Client) -> Client:
    if faults := client_faults(client):
        raise ValidationFailed([FieldError(field, message) for field, message in faults])
    return client


def _own(client_id: str) -> str:
    if client_id == REST_CLIENT.client_id:
        raise Conflict(f"{client_id} is built in: it cannot be changed.")
    return client_id


def _found(client: Client | None, client_id: str) -> Client:
    if client is None:
        raise NotFound(f"There is no client {client_id}.")
    return client
