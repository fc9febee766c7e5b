"""`GET` and `PATCH /auth/profile`."""

from __future__ import annotations

from typing import Any

from quart import Blueprint

from idp.controllers.access import Guard, signed_in
from idp.controllers.auth.shapes import ProfileChange, user_json
from idp.controllers.exchange import body
from idp.services.profile import Profile


def profile_routes(profile: Profile, guard: Guard) -> Blueprint:
    routes = Blueprint("profile", __name__)

    @routes.get("/auth/profile")
    @guard.user
    async def read() -> Any:
        return {"user": user_json(await profile.of(signed_in().session.user_id))}

    @routes.patch("/auth/profile")
    @guard.user
    async def change() -> Any:
        return {"user": user_json(await profile.rename(signed_in().session.user_id, body(ProfileChange).name))}

    return routes
