"""
How a client proves itself at the token endpoint (RFC 6749, section 2.3).

Authlib checks each method; what it lets pass is settled here before: two methods at once, a `client_id` beside a Basic
header that names another client, a header that is not UTF-8. Every failure looks alike: 401, with a challenge only for a
client that used the Authorization header (RFC 6749, section 5.2).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote, unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from idp.domain.clients.clients import PRIVATE_KEY_JWT, Client
from idp.services.tokens.token_request import TokenRequest

# What a client is told that has sent its own secret in another way than it is registered for.
REGISTERED_FOR = {
    "client_secret_basic": "The client is registered for client_secret_basic: send the secret in the Authorization header.",
    "client_secret_post": "The client is registered for client_secret_post: send client_id and client_secret in the body.",
}
METHODS = ("client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT, "none")


class ClientRefused(InvalidClientError):  # type: ignore[misc]
    """
    One status, text and header, whether the client is unknown, disabled or has another secret. Another *description* only
    for who has *proved* to hold the client's key or secret; such a refusal is no guess, and not counted as one.

    *challenged*: the request had an Authorization header. Without one a challenge does harm: a browser asks its user for a
    password, and oauth4webapi (openid-client) throws the challenge instead of the error in the body.
    """

    challenged = False

    def __init__(self, description: str | None = None) -> None:
        super().__init__(description or "Client authentication failed.", status_code=401)
        self.proved = description is not None

    def get_headers(self) -> list[tuple[str, str]]:
        common = [header for header in super().get_headers() if header[0] != "WWW-Authenticate"]
        return [*common, ("WWW-Authenticate", 'Basic realm="idp", charset="UTF-8"')] if self.challenged else common


class AuthlibClient:
    """A domain client under the names by which Authlib asks (its `ClientMixin`)."""

    __slots__ = ("_now", "client")

    def __init__(self, client: Client, now: Callable[[], datetime]) -> None:
        self.client = client
        self._now = now

    def get_client_id(self) -> str:
        return self.client.client_id

    def check_client_secret(self, secret: str) -> bool:
        return self.client.has_secret(secret, self._now())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return self.client.takes_method(method)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.client.grant_types


def presented_method(request: TokenRequest) -> str:
    """The one method that *request* uses. Raises Authlib's errors for none that can be read, or more than one."""
    header = request.headers.get("Authorization")
    form = request.payload.data
    if "client_assertion" in form or "client_assertion_type" in form:
        if header is not None or "client_secret" in form:
            raise InvalidRequestError("Use one method of client authentication, not two.")
        return PRIVATE_KEY_JWT
    if header is None or header.split(" ", 1)[0].lower() != "basic":
        return "client_secret_post" if "client_secret" in form else "none"
    if "client_secret" in form:
        raise InvalidRequestError("Use one method of client authentication, not two.")
    readings = _basic(header)
    client_id, secret = readings[0]
    if not client_id:
        raise ClientRefused
    if form.setdefault("client_id", client_id) not in dict(readings):
        raise InvalidRequestError("The client_id parameter names another client than the Authorization header.")
    # A name without a secret is what a public client has (Go's x/oauth2 sends it so at first).
    return "client_secret_basic" if secret else "none"


def presented_secret(request: TokenRequest) -> str | None:
    """Of a request that `presented_method` could read."""
    header = request.headers.get("Authorization", "")
    return _basic(header)[0][1] if header.lower().startswith("basic ") else request.form.get("client_secret")


def claimed_client_id(request: TokenRequest) -> str:
    """Whom a refused request names, as far as it can be read; unproven, for counting only."""
    try:
        return request.form.get("client_id") or _basic(request.headers.get("Authorization", ""))[0][0]
    except ClientRefused:
        return ""


def authenticate_basic(
    query_client: Callable[[str], AuthlibClient | None], request: TokenRequest
) -> AuthlibClient | None:
    """In place of Authlib's, which does not read `+` as the space that a form-urlencoded client id may have."""
    for client_id, secret in _basic(request.headers["Authorization"]):
        client = query_client(client_id)
        if client is not None and client.check_client_secret(secret):
            request.payload.data["client_id"] = client_id
            return client
    return None


def _basic(header: str) -> list[tuple[str, str]]:
    """
    Id and secret: first with `+` as itself, as most clients mean it that encode nothing or by percent signs alone; then, where
    it makes a difference, as the space that it stands for (RFC 6749, section 2.3.1).
    """
    try:
        pair = base64.b64decode(header.split(None, 1)[1], validate=True).decode("utf-8")
    except (IndexError, binascii.Error, UnicodeError, ValueError):
        raise ClientRefused from None
    client_id, _, secret = pair.partition(":")
    return list(dict.fromkeys((decoded(client_id), decoded(secret)) for decoded in (unquote, unquote_plus)))
