"""`/admin/keys`: the signing keys, without anything private."""

from __future__ import annotations

from quart import Blueprint

from idp.controllers.accounts.admin_user_shapes import AdminKey, AdminKeys, AdminKeysMade
from idp.controllers.http.access import Guard
from idp.controllers.http.operation import operation
from idp.domain.errors import Conflict
from idp.services.operation.key_administration import KeyAdministration


def key_routes(keys: KeyAdministration, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_keys", __name__)

    @routes.get("/admin/keys")
    @guard.admin
    @operation("Signing keys: active, next, retired, expired, withdrawn", gives=AdminKeys)
    async def listed() -> AdminKeys:
        return AdminKeys(keys=[AdminKey.of(key) for key in await keys.all()])

    @routes.post("/admin/keys/rotate")
    @guard.admin
    @operation(
        "Make the keys that sign next, one of each algorithm in use",
        gives=AdminKeysMade,
        status=201,
        refuses=(Conflict,),
    )
    async def rotate() -> AdminKeysMade:
        first, *others = map(AdminKey.of, await keys.rotate())
        return AdminKeysMade(key=first, others=others)

    return routes
