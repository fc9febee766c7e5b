"""The endpoints beside Quart: their shapes are those of RFCs, their values those that this server has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from idp.controllers.openapi import responses
from idp.controllers.openapi.responses import Json

FORM = "application/x-www-form-urlencoded"

TOKEN_ANSWER: Json = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in"],
    "properties": {
        "access_token": {"type": "string", "description": "A JWT (RFC 9068)."},
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "user_address": {
            "type": "string",
            "description": "For whose IP address the attempt counts, of a client that has authenticated (password).",
        },
        "refresh_token": {"type": "string"},
        "scope": {"type": "string"},
    },
}
OAUTH_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
TOKEN_REFUSALS = {
    "400": "The request or the grant is refused (RFC 6749, section 5.2).",
    "401": "`invalid_client`: the client did not authenticate.",
    "408": "The body did not arrive in time.",
    "413": "The body is larger than this server reads.",
    "429": "`rate_limited` or `too_many_attempts`: wait as long as Retry-After says.",
    "503": "`temporarily_unavailable`: a store does not answer; try again.",
}


DOCUMENTS = {
    "openid-configuration": "Discover what works here (OpenID Connect Discovery 1.0)",
    "oauth-authorization-server": "Discover what works here (RFC 8414)",
    "jwks.json": "Read the public signing keys (RFC 7517)",
}

METRICS: Json = {
    "operationId": "metrics",
    "tags": ["Operation"],
    "summary": "Read the metrics of all workers (Prometheus text)",
    "responses": {
        "200": {
            "description": "Version 0.0.4 of the text format.",
            "headers": responses.headers(),
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        "401": {
            "description": "A token is configured, and was not presented.",
            "headers": responses.headers("WWW-Authenticate"),
            "content": {"application/problem+json": {"schema": responses.PROBLEM}},
        },
        "404": {
            "description": "No token is configured, and the caller is not on the server's own machine.",
            "headers": responses.headers(),
            "content": {"application/problem+json": {"schema": responses.PROBLEM}},
        },
    },
    "security": [{}, {"metrics": []}],
}


def path_items(*, grant_types: Sequence[str], documents: Sequence[str]) -> dict[str, Json]:
    """Of the token endpoint, of the metrics, and of *documents*: paths that answer public JSON."""
    beside = {"/oauth2/token": {"post": _token(grant_types)}, "/metrics": {"get": METRICS}}
    return beside | {path: {"get": _document(path)} for path in documents}


def _token(grant_types: Sequence[str]) -> Json:
    properties: Json = {
        "grant_type": {"enum": list(grant_types)},
        "username": {"type": "string", "description": "The e-mail address (password)."},
        "password": {"type": "string", "format": "password"},
        "user_address": {
            "type": "string",
            "description": "For whose IP address the attempt counts, of a client that has authenticated (password).",
        },
        "refresh_token": {"type": "string"},
        "scope": {"type": "string", "description": "Names, parted by spaces."},
        "resource": {"type": "string", "format": "uri", "description": "The audience (RFC 8707)."},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string", "format": "password"},
        "client_assertion_type": {"type": "string", "description": "Of a client that has a key (RFC 7523)."},
        "client_assertion": {"type": "string", "description": "A JWT that it has signed."},
    }
    schema = {"type": "object", "required": ["grant_type"], "properties": properties}
    refusals = {status: refused(status, text) for status, text in TOKEN_REFUSALS.items()}
    good = json_response(
        TOKEN_ANSWER,
        "Tokens (RFC 6749, section 5.1).",
        headers=responses.headers("Device-Token", *responses.LIMITED),
    )
    return {
        "operationId": "token",
        "tags": ["Tokens"],
        "summary": "Ask for tokens",
        "requestBody": {"required": True, "content": {FORM: {"schema": schema}}},
        "responses": {"200": good, **refusals},
        "security": [{}, {"client": []}],
    }


def refused(status: str, description: str) -> Json:
    names = {
        "401": ("WWW-Authenticate",),
        "403": ("WWW-Authenticate",),
        "429": ("Retry-After", *responses.LIMITED),
        "503": ("Retry-After",),
    }
    return json_response(OAUTH_ERROR, description, headers=responses.headers(*names.get(status, ())))


def _document(path: str) -> Json:
    return {
        "operationId": path.rpartition("/")[2].partition(".")[0].replace("-", "_"),
        "tags": ["Tokens"],
        "summary": DOCUMENTS[path.rpartition("/")[2]],
        "responses": {
            "200": json_response({"type": "object"}, "Public JSON, to be cached.", headers=responses.headers("ETag")),
            "304": {"description": "If-None-Match names what would be sent."},
        },
        "security": [],
    }


def json_response(schema: Mapping[str, object], description: str, *, headers: Json) -> Json:
    return {"description": description, "headers": headers, "content": {"application/json": {"schema": dict(schema)}}}
