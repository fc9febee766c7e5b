"""What a server needs before it serves: tables, keys, the first administrator and, in development, demo clients."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from idp.bootstrap import Services, secrets_of
from idp.database import migration
from idp.database.servers import credentials
from idp.domain.clients.clients import Client, ClientSecret, digest_of_secret
from idp.embedded import StoreUrls
from idp.gateways import secret_keys
from idp.settings import Settings

DEMO_APP = "demo-app"
DEMO_SPA = "demo-spa"
DEMO_SCOPE = "openid profile email offline_access"
DEMO_SITE = "http://localhost:3000"  # where examples/web_app.py listens
DEMO_ORIGINS = (DEMO_SITE, "http://localhost:5173")


@dataclass(frozen=True, slots=True)
class Prepared:
    """*admin_password* is set when the administrator was made now with a random one: shown once. *demo_secret*: development."""

    admin_email: str | None
    admin_password: str | None
    demo_secret: str | None


async def migrate(urls: StoreUrls, audit_retention: timedelta | None = None) -> list[str]:
    """The steps applied now. *audit_retention*: how long the trail is kept from now on; None leaves that as it is."""
    return await migration.migrate(urls.migration, credentials(urls.database)["user"], audit_retention)


async def missing_steps(urls: StoreUrls) -> list[str]:
    return [step.name for step in await migration.status(urls.database) if not step.applied]


async def prepare(settings: Settings, services: Services) -> Prepared:
    """May run any number of times, also in several processes at once."""
    email, password = await _first_administrator(settings, services)
    demo_secret = await _demo_clients(settings, services) if settings.env == "development" else None
    return Prepared(email, password, demo_secret)


async def _first_administrator(settings: Settings, services: Services) -> tuple[str | None, str | None]:
    if await services.users.has_administrator():
        return None, None
    # Random passwords follow our own policy: a letter of each case and a digit, whatever chance brings.
    password = settings.admin_password or f"{secrets.token_urlsafe(15)}-aA1"
    made = await services.registration.first_administrator(settings.admin_email, password)
    return (settings.admin_email, None if settings.admin_password else password) if made else (None, None)


async def _demo_clients(settings: Settings, services: Services) -> str:
    # The same at each start, so that it can be shown again though only its digest is stored.
    secret = secret_keys.derived(secrets_of(settings), secret_keys.DEMO_CLIENT)[0].hex()
    for made in (_demo_app(secret), _demo_spa(settings.issuer)):
        known = await services.clients.present(made.client_id)
        if known is None:
            await services.clients.add(made)
        elif _outdated(known, made):
            await services.clients.replace(made)
    return secret


def _outdated(known: Client, made: Client) -> bool:
    """IDP_SECRET or the issuer has changed, and the secret or the address with it; or an older release made it."""
    secrets_missing = {secret.digest for secret in made.secrets} - {secret.digest for secret in known.secrets}
    return bool(secrets_missing or set(made.redirect_uris) - set(known.redirect_uris))


def _demo_app(secret: str) -> Client:
    return Client(
        client_id=DEMO_APP,
        name="Demo application",
        secrets=(ClientSecret(digest_of_secret(secret)),),
        grant_types=("authorization_code", "refresh_token", "client_credentials", "password"),
        scope=DEMO_SCOPE,
        redirect_uris=(f"{DEMO_SITE}/callback",),
        post_logout_redirect_uris=(f"{DEMO_SITE}/",),
    )


def _demo_spa(issuer: str) -> Client:
    parts = urlsplit(issuer)
    return Client(
        client_id=DEMO_SPA,
        name="Demo single-page application",
        auth_method="none",
        grant_types=("authorization_code", "refresh_token", "password"),
        scope=DEMO_SCOPE,
        redirect_uris=(f"{issuer}/demo/",),
        post_logout_redirect_uris=(f"{issuer}/demo/",),
        origins=(f"{parts.scheme}://{parts.netloc}", *DEMO_ORIGINS),
    )


def welcome(settings: Settings, prepared: Prepared) -> str:
    """What the operator sees: where it is, who may sign in, what to type."""
    issuer = settings.issuer
    lines = ["", f"  idp serves {issuer}  (listening on {settings.bind_host}:{settings.bind_port}, {settings.env})", ""]
    if prepared.admin_email:
        shown = prepared.admin_password or "the one in IDP_ADMIN_PASSWORD"
        lines += [f"  Administrator  {prepared.admin_email}", f"  Password       {shown}   (shown this once)", ""]
    if prepared.demo_secret:
        lines += _demo(issuer, prepared.demo_secret)
    return "\n".join(lines)


def _demo(issuer: str, secret: str) -> list[str]:
    person = "ada@example.com"
    phrase = "Correct-Horse-7"
    return [
        f"  Demo clients   {DEMO_APP} (confidential), secret {secret}",
        f"                 {DEMO_SPA} (public), origins {' '.join(DEMO_ORIGINS)}",
        "",
        "  Sign in with a browser:",
        f"    {issuer}/demo",
        "  Make an account:",
        f"    curl -s {issuer}/auth/register -H 'Content-Type: application/json' \\",
        f"""      -d '{{"email": "{person}", "password": "{phrase}", "name": "Ada"}}'""",
        "  Sign in over REST:",
        f"    curl -s {issuer}/auth/login -H 'Content-Type: application/json' \\",
        f"""      -d '{{"email": "{person}", "password": "{phrase}"}}'""",
        "  Or at the token endpoint:",
        f"    curl -s {issuer}/oauth2/token -u {DEMO_APP}:{secret} \\",
        f"      -d grant_type=password -d username={person} -d password={phrase}",
        "  What verifies the tokens:",
        f"    curl -s {issuer}/.well-known/jwks.json",
        "",
    ]
