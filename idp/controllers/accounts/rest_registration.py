"""`POST /auth/register`."""

from __future__ import annotations

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import OwnUser, Registering, UserAnswer
from idp.controllers.http import access
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.domain.errors import PasswordsBusy
from idp.domain.operation.limits import Category
from idp.services.accounts.registration import Registration


def registration_routes(registration: Registration, limited: Limited) -> Blueprint:
    routes = Blueprint("registration", __name__)

    @routes.post("/auth/register")
    @limited(Category.REGISTER)
    @access.public
    @operation("Make an account", takes=Registering, gives=UserAnswer, status=201, refuses=(PasswordsBusy,))
    async def register(form: Registering) -> UserAnswer:
        return UserAnswer(user=OwnUser.of(await registration.register(form.email, form.password, form.name)))

    return routes
