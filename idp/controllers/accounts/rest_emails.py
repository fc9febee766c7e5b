"""`POST /auth/verify-email`, `/auth/send-verification`, `/auth/change-email`."""

from __future__ import annotations

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import EmailChanging, MailTokenBody
from idp.controllers.http import access
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.exchange import current
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.controllers.sign_in.devices import HEADER_NAME, DeviceTokens
from idp.domain.errors import InvalidCredentials, PasswordsBusy, TooManyAttempts
from idp.domain.operation.limits import Category
from idp.services.accounts.email_change import EmailChange
from idp.services.accounts.email_verification import EmailVerification


def email_routes(
    email_verification: EmailVerification,
    email_change: EmailChange,
    guard: Guard,
    limited: Limited,
    devices: DeviceTokens,
) -> Blueprint:
    routes = Blueprint("emails", __name__)

    @routes.post("/auth/verify-email")
    @limited(Category.API)
    @access.public
    @operation("Verify an address, or confirm a new one, with the token of a mail", takes=MailTokenBody)
    async def verify(given: MailTokenBody) -> None:
        await email_verification.confirm(given.token)

    @routes.post("/auth/send-verification")
    @limited(Category.API)
    @guard.user
    @operation("Have the mail to verify the address sent again", status=202)
    async def send() -> None:
        await email_verification.send(signed_in().session.user_id, signed_in().email)

    @routes.post("/auth/change-email")
    @limited(Category.API)
    @guard.user
    @operation(
        "Ask for another address; it changes once confirmed by a mail to the new one",
        takes=EmailChanging,
        status=202,
        reads=(HEADER_NAME,),
        refuses=(InvalidCredentials, TooManyAttempts, PasswordsBusy),
    )
    async def change(wanted: EmailChanging) -> None:
        await email_change.request(
            signed_in().session.user_id,
            wanted.current_password,
            wanted.new_email,
            device=devices.presented(current()),
        )

    return routes
