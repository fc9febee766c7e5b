"""
The application, put together.

    application   what an ASGI server runs, opened at start-up
    assembly      the edge around everything
    endpoints     what skips Quart
    routes        Quart's routes for programs, and all of them
    pages         Quart's routes for people
"""

from idp.app.application import Application, from_environment
from idp.app.assembly import create_app
from idp.app.endpoints import beside_quart
from idp.app.pages import pages_of
from idp.app.routes import quart_app

__all__ = ["Application", "beside_quart", "create_app", "from_environment", "pages_of", "quart_app"]
