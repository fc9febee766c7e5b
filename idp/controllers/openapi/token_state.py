"""Revocation (RFC 7009), introspection (RFC 7662) and userinfo (OpenID Connect Core, section 5.3), as their RFCs have them."""

from __future__ import annotations

from idp.controllers.openapi import responses
from idp.controllers.openapi.protocol import FORM, TOKEN_REFUSALS, json_response, refused
from idp.controllers.openapi.responses import Json
from idp.domain.tokens.claims import SUPPORTED

TOKEN_FORM: Json = {
    "type": "object",
    "required": ["token"],
    "properties": {
        "token": {"type": "string", "minLength": 1},
        "token_type_hint": {"type": "string", "description": "Not needed: a token tells its type by itself."},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string", "format": "password"},
    },
}
TOKEN_STATE: Json = {
    "type": "object",
    "required": ["active"],
    "properties": {
        "active": {"type": "boolean"},
        "token_type": {"enum": ["Bearer", "refresh_token"]},
        "iss": {"type": "string"},
        "sub": {"type": "string"},
        "aud": {"type": "string"},
        "client_id": {"type": "string"},
        "username": {"type": "string", "description": "The address, for the client that the user signed in to."},
        "scope": {"type": "string"},
        "roles": {"type": "array", "items": {"type": "string"}, "description": "Those that the user has now."},
        "exp": {"type": "integer"},
        "iat": {"type": "integer"},
        "auth_time": {"type": "integer"},
        "jti": {"type": "string"},
        "sid": {"type": "string"},
    },
}
CLAIMS: Json = {
    "type": "object",
    "required": ["sub"],
    "properties": {
        **{claim: {"type": "string"} for claim in SUPPORTED},
        "updated_at": {"type": "integer"},
        "email_verified": {"type": "boolean"},
        "phone_number_verified": {"type": "boolean"},
        "address": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
USERINFO_REFUSALS = {
    "400": "`invalid_request`: more than one token, or one in the query.",
    "401": "`invalid_token`: none, or one that is not good (any more).",
    "403": "`insufficient_scope`: not the token of a user who granted the scope openid.",
    "408": TOKEN_REFUSALS["408"],
    "413": TOKEN_REFUSALS["413"],
    "429": "`rate_limited`: wait as long as Retry-After says.",
    "503": TOKEN_REFUSALS["503"],
}


def path_items() -> dict[str, Json]:
    nothing = {"description": "The token is good for nothing (any more).", "headers": responses.headers()}
    state = json_response(TOKEN_STATE, "Its state; of one that is not active nothing else.", headers=_limited())
    return {
        "/oauth2/revoke": {"post": _of_client("revoke", "Revoke a token", nothing)},
        "/oauth2/introspect": {"post": _of_client("introspect", "Ask what a token is worth now", state)},
        "/oauth2/userinfo": {"get": _userinfo("userinfo"), "post": _userinfo("userinfo_post", posted=True)},
    }


def _of_client(name: str, summary: str, good: Json) -> Json:
    return {
        "operationId": name,
        "tags": ["Tokens"],
        "summary": summary,
        "requestBody": {"required": True, "content": {FORM: {"schema": TOKEN_FORM}}},
        "responses": {"200": good, **{status: refused(status, text) for status, text in TOKEN_REFUSALS.items()}},
        "security": [{}, {"client": []}],
    }


def _userinfo(name: str, *, posted: bool = False) -> Json:
    good = json_response(CLAIMS, "Claims, as the scope of the token allows.", headers=_limited())
    good["content"]["application/jwt"] = {"schema": {"type": "string"}}
    refusals = {status: text for status, text in USERINFO_REFUSALS.items() if posted or status not in ("408", "413")}
    described: Json = {
        "operationId": name,
        "tags": ["Tokens"],
        "summary": "Read who the user is",
        "responses": {
            "200": good,
            **{status: refused(status, text) for status, text in refusals.items()},
        },
        "security": [{"bearer": []}],
    }
    if posted:
        schema = {"type": "object", "properties": {"access_token": {"type": "string", "minLength": 1}}}
        described["requestBody"] = {"required": False, "content": {FORM: {"schema": schema}}}
    return described


def _limited() -> Json:
    return responses.headers(*responses.LIMITED)
