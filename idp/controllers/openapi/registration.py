"""The endpoints of clients that register themselves: bodies and errors are those of RFC 7591 and RFC 7592."""

from __future__ import annotations

from typing import Any

from idp.controllers.clients.client_metadata import ClientMetadata, ReplacingMetadata
from idp.controllers.clients.client_registration import PATH
from idp.controllers.openapi import responses
from idp.controllers.openapi.protocol import OAUTH_ERROR
from idp.controllers.openapi.responses import Json

JSON = "application/json"
INFORMATION: Json = {
    "type": "object",
    "required": ["client_id", "registration_access_token", "registration_client_uri"],
    "properties": {
        "client_id": {"type": "string"},
        "client_secret": {"type": "string", "description": "In the answer that made it, and in no other."},
        "client_secret_expires_at": {"const": 0},
        "client_id_issued_at": {"type": "integer"},
        "registration_access_token": {"type": "string"},
        "registration_client_uri": {"type": "string", "format": "uri"},
    },
}
REFUSALS = {
    "400": "`invalid_redirect_uri` or `invalid_client_metadata`.",
    "401": "`invalid_token`.",
    "408": "The body did not arrive in time.",
    "413": "The body is larger than this server reads.",
    "429": "`rate_limited`: too many wrong tokens from this address.",
    "503": "`temporarily_unavailable`: try again.",
}
CLIENT = {"name": "clientId", "in": "path", "required": True, "schema": {"type": "string"}}


def registration_items() -> dict[str, Json]:
    return {
        PATH: {"post": _operation("register", "Register a client", "201", takes=ClientMetadata)},
        f"{PATH}/{{clientId}}": {
            "get": _operation("readRegistration", "Read a registration", "200", CLIENT),
            "put": _operation("replaceRegistration", "Replace a registration", "200", CLIENT, takes=ReplacingMetadata),
            "delete": _operation("deleteRegistration", "Delete a client and end its sessions", "204", CLIENT),
        },
    }


def _operation(
    name: str, summary: str, status: str, *parameters: Json, takes: type[ClientMetadata] | None = None
) -> Json:
    good: Json = {"description": summary + ".", "headers": responses.headers()}
    if status != "204":
        good["content"] = {JSON: {"schema": INFORMATION}}
    described: Json = {
        "operationId": name,
        "tags": ["Tokens"],
        "summary": summary,
        "parameters": list(parameters),
        "responses": {status: good, **{code: _refused(code, text) for code, text in REFUSALS.items()}},
        "security": [{"registration": list[Any]()}],
    }
    if takes is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": takes.model_json_schema()}}}
    return described


def _refused(status: str, description: str) -> Json:
    names = {"401": ("WWW-Authenticate",), "429": ("Retry-After", *responses.LIMITED), "503": ("Retry-After",)}
    return {
        "description": description,
        "headers": responses.headers(*names.get(status, ())),
        "content": {JSON: {"schema": OAUTH_ERROR}},
    }
