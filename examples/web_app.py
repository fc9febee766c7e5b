"""
A web application that signs its users in, with Authlib in Quart: pip install authlib httpx quart

    python web_app.py http://localhost:8000 demo-app SECRET
    open http://localhost:3000

The issuer is all that it is told; discovery says the rest. `make run` prints the secret of demo-app. Authlib makes state,
nonce and PKCE, and verifies the ID token. The tokens stay here: the browser has a cookie with a random number.
"""

import secrets
import sys
from html import escape

import httpx
from authlib.integrations.base_client import BaseApp, OAuthError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
from quart import Quart, redirect, request, session


class OpenIdProvider(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):
    """Authlib's client for asyncio, without the web framework that it usually comes with."""

    client_cls = AsyncOAuth2Client


def create_app(issuer: str, client_id: str, client_secret: str, port: int) -> Quart:
    app = Quart(__name__)
    # Keep both in your configuration and your database: here a restart signs everybody out.
    app.secret_key = secrets.token_bytes(32)
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"  # no form of another site can refresh or sign out
    signed_in: dict[str, dict] = {}
    site = f"http://localhost:{port}"
    provider = OpenIdProvider(
        None,
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email offline_access", "code_challenge_method": "S256"},
    )

    @app.get("/")
    async def home():
        token = signed_in.get(session.get("id"))
        if token is None:
            return page('<p>You are not signed in.</p><p><a id="sign-in" href="/sign-in">Sign in</a></p>')
        claims = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(it))}</dd>" for name, it in token["claims"].items())
        return page(f"<dl>{claims}</dl>{button('/refresh', 'Refresh')}{button('/sign-out', 'Sign out')}")

    @app.get("/sign-in")
    async def sign_in():
        started = await provider.create_authorization_url(f"{site}/callback")
        session["started"] = {name: started[name] for name in ("state", "nonce", "code_verifier")}
        return redirect(started["url"])

    @app.get("/callback")
    async def callback():
        started = session.pop("started", None)
        if started is None or not secrets.compare_digest(request.args.get("state", ""), started["state"]):
            return page("<p>This sign-in was not begun here.</p>"), 400
        if request.args.get("iss") != issuer:  # RFC 9207: the answer of another server, which would get our code
            return page("<p>This is the answer of another server.</p>"), 400
        if "error" in request.args:
            return page(f"<p>{escape(request.args.get('error_description', request.args['error']))}</p>"), 403
        token = await provider.fetch_access_token(
            f"{site}/callback", code=request.args["code"], code_verifier=started["code_verifier"]
        )
        id_claims = await provider.parse_id_token(token, nonce=started["nonce"])
        token["claims"] = {**id_claims, **await provider.userinfo(token=token)}
        session["id"] = secrets.token_urlsafe()  # a new one at each sign-in, so that nobody can plant one
        signed_in[session["id"]] = token
        return redirect("/")

    @app.post("/refresh")
    async def refresh():
        token = signed_in.get(session.get("id"))
        if token is not None:
            try:
                renewed = await provider.fetch_access_token(
                    grant_type="refresh_token", refresh_token=token["refresh_token"]
                )
            except OAuthError:  # invalid_grant: the session was ended elsewhere
                signed_in.pop(session.pop("id"), None)
            except httpx.HTTPError:  # the same refresh token is good to present again
                return page("<p>The server does not answer. Try again in a moment.</p>"), 503
            else:
                signed_in[session["id"]] = {**token, **renewed}
        return redirect("/", 303)

    @app.post("/sign-out")
    async def sign_out():
        """Here and, by RP-initiated logout, at the server."""
        token = signed_in.pop(session.pop("id", None), None)
        if token is None:
            return redirect("/", 303)
        leaving = await provider.create_logout_url(f"{site}/", id_token_hint=token["id_token"], client_id=client_id)
        return redirect(leaving["url"], 303)

    @app.after_request
    async def guard(response):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return app


def page(content: str) -> str:
    return f'<!doctype html><html lang="en"><title>Web application</title><h1>Web application</h1>{content}</html>'


def button(action: str, text: str) -> str:
    return f'<form method="post" action="{action}"><button id="{action[1:]}">{text}</button></form>'


if __name__ == "__main__":
    listening = int(sys.argv[4]) if len(sys.argv) > 4 else 3000
    create_app(*sys.argv[1:4], listening).run("127.0.0.1", listening)
