"""A token request in Authlib's terms, read in full before Authlib starts, since Authlib cannot await a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error, OAuth2Payload, OAuth2Request

from idp.domain.sessions.sessions import Session
from idp.services.sign_in.devices import Device
from idp.services.tokens.authorization_codes import PresentedCode
from idp.services.tokens.presented_token import AuthlibRefreshToken


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """RFC 8707, section 2."""

    error = "invalid_target"


class FormPayload(OAuth2Payload):  # type: ignore[misc]
    data: dict[str, str] = {}  # noqa: RUF012 - replaces a property of Authlib's, is set for each request
    datalist: dict[str, list[str]] = {}  # noqa: RUF012

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        # A parameter without a value counts as left out (RFC 6749, section 3.2).
        self.data = {}
        self.datalist = {}
        for name, value in fields:
            if value:
                self.data.setdefault(name, value)
                self.datalist.setdefault(name, []).append(value)


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """
    *guessed*: client authentication failed, and not for a secret that is right but sent in another way.

    *session* is the one that a grant is about to start, *code* the one that it redeems for that. *refresh_token* is what was
    presented. *address* is the caller's, *device_token* what it presents of a device; *device* is set by a grant after which
    it is known.

    Authlib's constructor refuses http, judged by the URL of the request: behind a proxy that is not what the client
    spoke. Here production refuses an http issuer at start-up instead, so that constructor is not called.
    """

    payload: FormPayload
    client: Any
    session: Session | None
    code: PresentedCode | None
    refresh_token: AuthlibRefreshToken | None
    device: Device | None
    guessed: bool

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        *,
        address: str = "unknown",
        device_token: str | None = None,
    ) -> None:
        self.method = "POST"
        self.uri = ""
        self.headers = headers
        self.payload = FormPayload(fields)
        self.client = self.auth_method = self.user = None
        self.authorization_code = self.refresh_token = self.credential = None
        self.session = self.device = self.code = None
        self.guessed = False
        self.address = address
        self.device_token = device_token
        self._scope = self._body = None

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data

    @property
    def resource(self) -> str | None:
        return self.payload.data.get("resource")

    def check(self) -> None:
        """A grant type, and no parameter twice. Authlib looks at neither."""
        self.check_repeated(besides="resource")
        if not self.payload.grant_type:
            raise InvalidRequestError("The parameter grant_type is missing.")
        if len(self.payload.datalist.get("resource", ())) > 1:  # which RFC 8707 allows; a token of ours is for one
            raise InvalidTargetError("Ask for one resource at a time.")

    def check_repeated(self, *, besides: str | None = None) -> None:
        """RFC 6749, section 3.2."""
        if any(len(values) > 1 for name, values in self.payload.datalist.items() if name != besides):
            raise InvalidRequestError("A parameter is repeated.")
