"""
`/oauth2/register`: clients that register themselves (RFC 7591) and look after their registration (RFC 7592).

Only where the operator has set a token. Errors are those of RFC 7591, section 3.2.2; a wrong token is counted like a failed
client authentication, per address.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from quart import Blueprint, Response, g

from idp.controllers.clients.client_metadata import ClientMetadata, ReplacingMetadata
from idp.controllers.http.access import bearer_token
from idp.controllers.http.exchange import current
from idp.controllers.http.operation import operation
from idp.domain.audit.events import origin
from idp.domain.clients.clients import Client
from idp.domain.errors import FieldError, InvalidToken, Malformed, UnsupportedMediaType, ValidationFailed
from idp.services.clients.dynamic_registration import DynamicRegistration, Issued
from idp.services.clients.registration_metadata import metadata_of
from idp.services.operation.rate_limiter import RateLimiter

PATH = "/oauth2/register"
ONE = f"{PATH}/<client_id>"
ACTOR = "registration"
CHALLENGE = 'Bearer realm="idp", error="invalid_token"'
LONGEST_DESCRIPTION = 1000

View = Callable[..., Awaitable[Any]]


def client_registration_routes(registration: DynamicRegistration, limiter: RateLimiter, issuer: str) -> Blueprint:
    routes = Blueprint("client_registration", __name__)
    guard = _Guard(registration, limiter)
    place = issuer.rstrip("/") + PATH

    @routes.post(PATH)
    @guard.newcomer
    @operation("Register a client", takes=ClientMetadata, status=201)
    async def register(given: ClientMetadata) -> Response:
        return _information(await registration.register(given.model_dump()), place, status=201)

    @routes.get(ONE)
    @guard.holder
    @operation("Read a registration")
    async def read(client_id: str) -> Response:
        return _information(Issued(_client(), bearer_token()), place)

    @routes.put(ONE)
    @guard.holder
    @operation("Replace a registration", takes=ReplacingMetadata)
    async def change(given: ReplacingMetadata, client_id: str) -> Response:
        _require_own(given, _client())
        return _information(await registration.replace(_client(), bearer_token(), given.model_dump()), place)

    @routes.delete(ONE)
    @guard.holder
    @operation("Delete a client that registered itself, and end its sessions")
    async def delete(client_id: str) -> None:
        await registration.remove(_client())

    return routes


class _Guard:
    """Who may call, before anything of the body is looked at; and how refusals are told here."""

    def __init__(self, registration: DynamicRegistration, limiter: RateLimiter) -> None:
        self._registration = registration
        self._limiter = limiter

    def newcomer(self, view: View) -> View:
        """With the operator's token."""

        async def check(_: dict[str, Any]) -> None:
            self._registration.permit(bearer_token())

        return self._guarded(view, check)

    def holder(self, view: View) -> View:
        """With the token of the registration. The view finds the client with `_client()`."""

        async def check(variables: dict[str, Any]) -> None:
            g.client = await self._registration.holder(variables["client_id"], bearer_token())

        return self._guarded(view, check)

    def _guarded(self, view: View, check: Callable[[dict[str, Any]], Awaitable[None]]) -> View:
        @functools.wraps(view)
        async def guarded(**variables: Any) -> Any:
            client_id = str(variables.get("client_id", ""))
            try:
                await check(variables)
                origin.set(replace(origin.get(), actor=ACTOR))
                return await view(**variables)
            except InvalidToken as refusal:
                await self._limiter.take_failed_client(current().address, client_id)
                return _error(401, "invalid_token", refusal.detail, {"WWW-Authenticate": CHALLENGE})
            except ValidationFailed as refusal:
                return _invalid(refusal)
            except (Malformed, UnsupportedMediaType) as refusal:
                return _error(400, "invalid_client_metadata", refusal.detail)

        guarded.access = "registration"  # type: ignore[attr-defined]
        return guarded


def _client() -> Client:
    client: Client = g.client
    return client


def _require_own(given: ReplacingMetadata, client: Client) -> None:
    if given.client_id != client.client_id:
        raise ValidationFailed([FieldError("client_id", "it is another client's")])
    if given.client_secret is not None and not client.has_secret(given.client_secret, datetime.now(UTC)):
        raise ValidationFailed([FieldError("client_secret", "it is chosen here, and is another one")])


def _information(issued: Issued, place: str, status: int = 200) -> Response:
    """RFC 7591, section 3.2.1; RFC 7592, section 3. A secret is told when it was made, and can be told at no other time."""
    client = issued.client
    secret = {"client_secret": issued.secret, "client_secret_expires_at": 0} if issued.secret else {}
    issued_at = {"client_id_issued_at": int(client.created_at.timestamp())} if client.created_at else {}
    managing = {
        "registration_access_token": issued.token,
        "registration_client_uri": f"{place}/{client.client_id}",
    }
    return _json(status, {"client_id": client.client_id, **secret, **issued_at, **managing, **metadata_of(client)})


def _invalid(refusal: ValidationFailed) -> Response:
    """A fault of redirect URIs has a code of its own."""
    named = [fault.field.partition(".")[0] for fault in refusal.errors]
    code = "invalid_redirect_uri" if "redirect_uris" in named else "invalid_client_metadata"
    return _error(400, code, "; ".join(f"{fault.field}: {fault.message}" for fault in refusal.errors))


def _error(status: int, code: str, description: str, headers: dict[str, str] | None = None) -> Response:
    # RFC 6749, section 5.2, allows no other characters.
    printable = "".join(it if " " <= it <= "~" and it not in '"\\' else "?" for it in description[:LONGEST_DESCRIPTION])
    return _json(status, {"error": code, "error_description": printable}, headers)


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    common = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(orjson.dumps(body), status, headers=common | (headers or {}), content_type="application/json")
