"""`POST /auth/change-password`, `/auth/forgot-password`, `/auth/reset-password`."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import ForgottenPassword, PasswordChanging, PasswordResetting
from idp.controllers.http import access
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.exchange import current
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.controllers.sign_in.devices import HEADER_NAME, DeviceTokens
from idp.domain.errors import InvalidCredentials, PasswordsBusy, TooManyAttempts
from idp.domain.operation.limits import Category
from idp.services.accounts.password_change import PasswordChange
from idp.services.accounts.password_reset import PasswordReset


def password_routes(
    password_change: PasswordChange,
    password_reset: PasswordReset,
    guard: Guard,
    limited: Limited,
    devices: DeviceTokens,
) -> Blueprint:
    routes = Blueprint("passwords", __name__)

    @routes.post("/auth/change-password")
    @limited(Category.API)
    @guard.user
    @operation(
        "Change the password; every other session ends",
        takes=PasswordChanging,
        reads=(HEADER_NAME,),
        headers=(HEADER_NAME, "Set-Cookie"),
        refuses=(InvalidCredentials, TooManyAttempts, PasswordsBusy),
    )
    async def change(wanted: PasswordChanging) -> tuple[None, Mapping[str, str]]:
        session = signed_in().session
        device = await password_change.change(
            session.user_id,
            session.id,
            wanted.current_password,
            wanted.new_password,
            device=devices.presented(current()),
        )
        return None, devices.headers(device)

    @routes.post("/auth/forgot-password")
    @limited(Category.API)
    @access.public
    @operation(
        "Have a link to reset the password sent, if there is such an account", takes=ForgottenPassword, status=202
    )
    async def forgot(given: ForgottenPassword) -> None:
        await password_reset.request(given.email)

    @routes.post("/auth/reset-password")
    @limited(Category.API)
    @access.public
    @operation(
        "Set a password with the token of a mail; every session ends",
        takes=PasswordResetting,
        refuses=(PasswordsBusy,),
    )
    async def reset(wanted: PasswordResetting) -> None:
        await password_reset.reset(wanted.token, wanted.new_password)

    return routes
