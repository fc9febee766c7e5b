"""`GET` and `PATCH /auth/profile`."""

from __future__ import annotations

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import OwnUser, ProfileChanging, UserAnswer
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.domain.operation.limits import Category
from idp.services.accounts.profile import Profile


def profile_routes(profile: Profile, guard: Guard, limited: Limited) -> Blueprint:
    routes = Blueprint("profile", __name__)

    @routes.get("/auth/profile")
    @limited(Category.API)
    @guard.user
    @operation("Who is signed in", gives=UserAnswer)
    async def read() -> UserAnswer:
        return UserAnswer(user=OwnUser.of(await profile.of(signed_in().session.user_id)))

    @routes.patch("/auth/profile")
    @limited(Category.API)
    @guard.user
    @operation("Change the name and what else is told of the user", takes=ProfileChanging, gives=UserAnswer)
    async def change(wanted: ProfileChanging) -> UserAnswer:
        return UserAnswer(user=OwnUser.of(await profile.change(signed_in().session.user_id, wanted.change)))

    return routes
