"""`/`: what this is, for who opens the issuer in a browser. `/.well-known/change-password`: where password managers lead users."""

from __future__ import annotations

from quart import Blueprint, Response

from idp.controllers.http import access
from idp.controllers.http.exchange import current
from idp.controllers.http.operation import operation
from idp.controllers.pages.hosted import page as page_of_ours
from idp.controllers.pages.rendering import Pages

# A Well-Known URL for Changing Passwords (W3C), section 2: a redirect, whoever asks.
CHANGE_PASSWORD = "/.well-known/change-password"  # noqa: S105 - a path


def front_routes(pages: Pages, issuer: str) -> Blueprint:
    routes = Blueprint("front", __name__)
    # Rendered once: nothing here depends on a request but the language.
    fronts = {locale: pages.render("front", locale=locale, issuer=issuer) for locale in pages.locales}

    @routes.get("/")
    @access.public
    @operation("Say what is running here", status=200, media_type="text/html")
    async def page() -> Response:
        locale = pages.locale(None, current().header(b"accept-language"))
        return Response(fronts[locale], content_type="text/html; charset=utf-8", headers={"Vary": "Accept-Language"})

    @routes.get(CHANGE_PASSWORD)
    @page_of_ours("Lead to the page that changes the password")
    async def change_password() -> Response:
        return Response("", 303, headers={"Location": pages.url("/account/password")})

    return routes
