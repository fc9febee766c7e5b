"""`/admin/clients`: the programs that ask for tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pydantic.alias_generators import to_camel
from quart import Blueprint

from idp.controllers.clients.admin_client_shapes import (
    DEFAULT_SCOPE,
    NAMES,
    AdminClient,
    AdminClientAnswer,
    AdminClients,
    ClientChanging,
    ClientListing,
    ClientRegistering,
    RegisteredClient,
    RotatedSecret,
    SecretRotating,
    properties_of,
)
from idp.controllers.http.access import Guard
from idp.controllers.http.operation import operation
from idp.controllers.http.versions import etag, expected_versions
from idp.domain.clients.clients import Client, version_of
from idp.domain.errors import Conflict, FieldError, PreconditionFailed, ValidationFailed
from idp.services.clients.client_registration import ClientRegistration
from idp.services.operation.cursors import Cursors

LISTING = "clients"


def client_routes(clients: ClientRegistration, cursors: Cursors, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_clients", __name__)

    @routes.get("/admin/clients")
    @guard.admin
    @operation("Clients, newest first", query=ClientListing, gives=AdminClients)
    async def listed(asked: ClientListing) -> AdminClients:
        filters = {"search": asked.search}
        page = await clients.page(asked.search, asked.limit, cursors.read(LISTING, filters, asked.cursor))
        return AdminClients(
            clients=[AdminClient.of(client) for client in page.items],
            next_cursor=cursors.write(LISTING, filters, page.following),
        )

    @routes.post("/admin/clients")
    @guard.admin
    @operation(
        "Register a client; a secret is in this answer only",
        takes=ClientRegistering,
        gives=RegisteredClient,
        status=201,
        headers=("ETag",),
        refuses=(Conflict,),
    )
    async def register(given: ClientRegistering) -> tuple[RegisteredClient, dict[str, str]]:
        made = {"client_id": secrets.token_hex(12), "scope": DEFAULT_SCOPE}
        with _names_as_given():
            registered = await clients.create(Client(**made | properties_of(given)))
        return RegisteredClient.of(registered), etag(version_of(registered.client))

    @routes.get("/admin/clients/<anything:client_id>")
    @guard.admin
    @operation("One client", gives=AdminClientAnswer, headers=("ETag",))
    async def read(client_id: str) -> tuple[AdminClientAnswer, dict[str, str]]:
        client = await clients.find(client_id)
        return AdminClientAnswer(client=AdminClient.of(client)), etag(version_of(client))

    @routes.put("/admin/clients/<anything:client_id>")
    @guard.admin
    @operation(
        "Change a client; one that begins to use a secret gets one",
        takes=ClientChanging,
        gives=RegisteredClient,
        reads=("If-Match",),
        headers=("ETag",),
        refuses=(Conflict, PreconditionFailed),
    )
    async def change(given: ClientChanging, client_id: str) -> tuple[RegisteredClient, dict[str, str]]:
        with _names_as_given():
            changed = await clients.change(client_id, versions=expected_versions(), **given.changes_of(client_id))
        return RegisteredClient.of(changed), etag(version_of(changed.client))

    @routes.delete("/admin/clients/<anything:client_id>")
    @guard.admin
    @operation("Delete a client and end its sessions", refuses=(Conflict,))
    async def delete(client_id: str) -> None:
        await clients.remove(client_id)

    @routes.post("/admin/clients/<anything:client_id>/secret")
    @guard.admin
    @operation(
        "Make a new secret, which is in this answer only",
        query=SecretRotating,
        gives=RotatedSecret,
        refuses=(Conflict,),
    )
    async def rotate(asked: SecretRotating, client_id: str) -> RotatedSecret:
        return RotatedSecret.of(await clients.rotate_secret(client_id, timedelta(seconds=asked.overlap)))

    return routes


@contextmanager
def _names_as_given() -> Iterator[None]:
    """Faults that the rules of the domain find are told under the names that the caller used."""
    try:
        yield
    except ValidationFailed as fault:
        errors = [FieldError(to_camel(NAMES.get(one.field, one.field)), one.message) for one in fault.errors]
        raise ValidationFailed(errors) from None
