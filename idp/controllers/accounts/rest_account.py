"""`DELETE /auth/profile`."""

from __future__ import annotations

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import CurrentPassword
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.exchange import current
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.controllers.sign_in.devices import HEADER_NAME, DeviceTokens
from idp.domain.errors import Conflict, InvalidCredentials, PasswordsBusy, TooManyAttempts
from idp.domain.operation.limits import Category
from idp.services.accounts.account_deletion import AccountDeletion


def account_routes(
    account_deletion: AccountDeletion, guard: Guard, limited: Limited, devices: DeviceTokens
) -> Blueprint:
    routes = Blueprint("account", __name__)

    @routes.delete("/auth/profile")
    @limited(Category.API)
    @guard.user
    @operation(
        "Delete the account, its sessions and tokens",
        takes=CurrentPassword,
        reads=(HEADER_NAME,),
        refuses=(InvalidCredentials, Conflict, TooManyAttempts, PasswordsBusy),
    )
    async def delete(given: CurrentPassword) -> None:
        await account_deletion.delete(
            signed_in().session.user_id, given.current_password, device=devices.presented(current())
        )

    return routes
