"""
Discovery and JWKS: bytes that are made once and sent as they are.

Pure ASGI, so that what every client asks for costs no more than a dictionary lookup. Documents never change while the
server runs; the JWKS is rendered again when `SigningKeys.version` has grown. None of these are ever limited, and any
origin may read them: they hold public members only.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from idp.domain.errors import MethodNotAllowed, NotFound
from idp.domain.operation.signing_keys import ALGORITHMS, SigningKeys
from idp.domain.sign_in.authorization import PASSWORD_ACR, PROMPTS, ResponseMode
from idp.domain.tokens.claims import SUPPORTED as CLAIMS

OPENID_CONFIGURATION = "/.well-known/openid-configuration"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
JWKS = "/.well-known/jwks.json"
PATHS = (OPENID_CONFIGURATION, AUTHORIZATION_SERVER, JWKS)

# Metadata name → path, of every endpoint that works now.
ENDPOINTS = {
    "authorization_endpoint": "/oauth2/authorize",
    "token_endpoint": "/oauth2/token",
    "userinfo_endpoint": "/oauth2/userinfo",
    "revocation_endpoint": "/oauth2/revoke",
    "introspection_endpoint": "/oauth2/introspect",
    "end_session_endpoint": "/oauth2/logout",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
_PREFLIGHT: Headers = (
    _ANY_ORIGIN,
    _ALLOW,
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
)
_ENTITY_TAG = re.compile(rb'"[^"]*"')


def document_places(issuer_path: str) -> tuple[str, ...]:
    """
    Where the metadata is asked for: below the issuer (OpenID Connect Discovery, section 4.1), and on its host with the
    issuer's path after the well-known one (RFC 8414, sections 3.1 and 5). Clients try either for both names.
    """
    below = (OPENID_CONFIGURATION, AUTHORIZATION_SERVER)
    return (*below, *(place + issuer_path for place in below)) if issuer_path else below


def discovery(
    issuer: str,
    *,
    grant_types: Sequence[str],
    auth_methods: Sequence[str],
    scopes: Sequence[str],
    locales: Sequence[str],
    algorithms: Sequence[str] = ALGORITHMS,
    auth_algorithms: Sequence[str] = (),
    endpoints: Mapping[str, str] = ENDPOINTS,
) -> dict[str, object]:
    """
    What works now, as OpenID Connect Discovery 1.0 (section 3) and RFC 8414 (section 2) name it.

    *endpoints* are paths below *issuer*, *locales* the languages of the pages, *algorithms* those of ID tokens.
    """
    root = issuer.rstrip("/")
    return {
        "issuer": issuer,
        **{name: root + path for name, path in endpoints.items()},
        "jwks_uri": root + JWKS,
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": list(ResponseMode),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": [PASSWORD_ACR],
        "claims_parameter_supported": True,
        "ui_locales_supported": list(locales),
        "grant_types_supported": list(grant_types),
        "token_endpoint_auth_methods_supported": list(auth_methods),
        "token_endpoint_auth_signing_alg_values_supported": list(auth_algorithms),
        "revocation_endpoint_auth_methods_supported": list(auth_methods),
        "introspection_endpoint_auth_methods_supported": [method for method in auth_methods if method != "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
        "userinfo_signing_alg_values_supported": list(algorithms),
        "claims_supported": list(CLAIMS),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "request_parameter_supported": False,
        # The only one of its kind whose default is true (Discovery 1.0, section 3).
        "request_uri_parameter_supported": False,
    }


@dataclass(frozen=True, slots=True)
class Rendition:
    """One document, ready to send."""

    body: bytes
    entity_tag: bytes
    headers: Headers
    not_modified: Headers

    @classmethod
    def of(cls, document: Mapping[str, object], max_age: timedelta) -> Rendition:
        body = orjson.dumps(document)
        entity_tag = b'"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:18]) + b'"'
        lasting = (
            (b"etag", entity_tag),
            (b"cache-control", b"public, max-age=%d" % max_age.total_seconds()),
            _ANY_ORIGIN,
        )
        entity = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
        return cls(body, entity_tag, entity + lasting, lasting)


class WellKnown:
    """
    The ASGI application of `JWKS` and of the paths of *documents*, for GET, HEAD and OPTIONS; raises `MethodNotAllowed` and
    `NotFound` for anything else. *max_age* must not exceed the time for which a new key is published before it signs.
    """

    access = "public"

    def __init__(self, *, keys: SigningKeys, documents: Mapping[str, Mapping[str, object]], max_age: timedelta) -> None:
        self._keys = keys
        self._max_age = max_age
        self._documents = {path: Rendition.of(document, max_age) for path, document in documents.items()}
        self._version = keys.version
        self._jwks = self._render_jwks()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rendition = self._rendition(scope["path"])
        if rendition is None:
            raise NotFound
        match scope["method"]:
            case "GET" | "HEAD" if _matches(scope["headers"], rendition.entity_tag):
                await _answer(send, 304, rendition.not_modified)
            case "GET":
                await _answer(send, 200, rendition.headers, rendition.body)
            case "HEAD":
                await _answer(send, 200, rendition.headers)
            case "OPTIONS":
                await _answer(send, 204, _PREFLIGHT)
            case _:
                raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])

    def _rendition(self, path: str) -> Rendition | None:
        return self._current_jwks() if path == JWKS else self._documents.get(path)

    def _current_jwks(self) -> Rendition:
        version = self._keys.version
        if version != self._version:
            self._jwks, self._version = self._render_jwks(), version
        return self._jwks

    def _render_jwks(self) -> Rendition:
        return Rendition.of({"keys": self._keys.published()}, self._max_age)


def _matches(headers: Sequence[tuple[bytes, bytes]], entity_tag: bytes) -> bool:
    """Whether If-None-Match names what would be sent (RFC 9110, section 13.1.2: weak comparison, lists, `*`)."""
    presented = b",".join(value for name, value in headers if name == b"if-none-match")
    return presented.strip() == b"*" or entity_tag in _ENTITY_TAG.findall(presented)


async def _answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    # A list of its own each time: what wraps this application appends to it.
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
