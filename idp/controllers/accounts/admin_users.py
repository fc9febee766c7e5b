"""`/admin/users`: everybody's accounts."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from quart import Blueprint

from idp.controllers.accounts.admin_user_shapes import (
    AdminUser,
    AdminUserAnswer,
    AdminUsers,
    Invitation,
    UserChanging,
    UserListing,
)
from idp.controllers.http.access import Guard
from idp.controllers.http.operation import operation
from idp.controllers.http.versions import etag, expected_versions
from idp.domain.accounts.user_records import UserRecord, version_of
from idp.domain.errors import Conflict, PreconditionFailed
from idp.services.accounts.user_administration import UserAdministration
from idp.services.operation.cursors import Cursors

LISTING = "users"

Answer = tuple[AdminUserAnswer, dict[str, str]]


def user_routes(users: UserAdministration, cursors: Cursors, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_users", __name__)

    @routes.get("/admin/users")
    @guard.admin
    @operation("Users, newest first", query=UserListing, gives=AdminUsers)
    async def listed(asked: UserListing) -> AdminUsers:
        filters = dataclasses.asdict(asked.filter)
        page = await users.page(asked.filter, asked.limit, cursors.read(LISTING, filters, asked.cursor))
        return AdminUsers(
            users=[AdminUser.of(record) for record in page.items],
            next_cursor=cursors.write(LISTING, filters, page.following),
            total=await users.count(asked.filter),
        )

    @routes.post("/admin/users")
    @guard.admin
    @operation(
        "Make an account, whose owner gets a mail to set a password",
        takes=Invitation,
        gives=AdminUserAnswer,
        status=201,
        headers=("ETag",),
        refuses=(Conflict,),
    )
    async def invite(given: Invitation) -> Answer:
        user = await users.invite(given.email, given.name, given.roles, given.status)
        return _answer(UserRecord(user=user))

    @routes.get("/admin/users/<uuid:user_id>")
    @guard.admin
    @operation("One user", gives=AdminUserAnswer, headers=("ETag",))
    async def read(user_id: UUID) -> Answer:
        return _answer(await users.record(user_id))

    @routes.put("/admin/users/<uuid:user_id>")
    @guard.admin
    @operation(
        "Change a user",
        takes=UserChanging,
        gives=AdminUserAnswer,
        reads=("If-Match",),
        headers=("ETag",),
        refuses=(Conflict, PreconditionFailed),
    )
    async def change(given: UserChanging, user_id: UUID) -> Answer:
        return _answer(await users.change(user_id, given.change_of(user_id), expected_versions()))

    @routes.delete("/admin/users/<uuid:user_id>")
    @guard.admin
    @operation("Delete a user", refuses=(Conflict,))
    async def delete(user_id: UUID) -> None:
        await users.delete(user_id)

    @routes.post("/admin/users/<uuid:user_id>/unlock")
    @guard.admin
    @operation("Forget a user's failed sign-ins")
    async def unlock(user_id: UUID) -> None:
        await users.unlock(str(user_id))

    @routes.post("/admin/users/<uuid:user_id>/password-reset")
    @guard.admin
    @operation("Send a mail with which the user can set a password", status=202, refuses=(Conflict,))
    async def reset_password(user_id: UUID) -> None:
        await users.send_password_reset(user_id)

    return routes


def _answer(record: UserRecord) -> Answer:
    return AdminUserAnswer(user=AdminUser.of(record)), etag(version_of(record.user))
