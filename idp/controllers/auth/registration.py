"""`POST /auth/register`."""

from __future__ import annotations

from typing import Any

from quart import Blueprint

from idp.controllers import access
from idp.controllers.auth.shapes import Registering, user_json
from idp.controllers.exchange import body
from idp.services.registration import Registration


def registration_routes(registration: Registration) -> Blueprint:
    routes = Blueprint("registration", __name__)

    @routes.post("/auth/register")
    @access.public
    async def register() -> tuple[Any, int]:
        form = body(Registering)
        user = await registration.register(form.email, form.password, form.name)
        return {"user": user_json(user)}, 201

    return routes
