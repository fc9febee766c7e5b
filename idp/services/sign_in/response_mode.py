"""
How the answer to an authorization request goes to its client, also of a request that is refused.

`response_mode` where one is named, else the default of the response type: types that carry tokens answer in the fragment, and
never in the query (OAuth 2.0 Multiple Response Type Encoding Practices, sections 3 and 5). A client that sends a request
object expects the answer as the object says (OpenID Connect Core, section 6.1), the one that says that it is not supported
too. So the object is read for this, unverified: whoever could write it could as well write the parameters beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from idp.domain.sign_in.authorization import ResponseMode

# Of response types: what is delivered at the redirect URI itself, beside or instead of a code.
TOKENS = {"token", "id_token"}


def response_mode(parameters: Mapping[str, Sequence[str]]) -> ResponseMode:
    """*parameters*: the values of each. One that is repeated, or no mode of ours, names none."""
    unverified = _unverified_object(parameters)
    named = _text(unverified, "response_mode") or _single(parameters, "response_mode")
    response_type = _single(parameters, "response_type") or _text(unverified, "response_type") or ""
    carries_tokens = not TOKENS.isdisjoint(response_type.split())
    default = ResponseMode.FRAGMENT if carries_tokens else ResponseMode.QUERY
    if named not in list(ResponseMode) or named == ResponseMode.QUERY:
        return default
    return ResponseMode(named)


def state(parameters: Mapping[str, Sequence[str]]) -> str | None:
    """That of the request, else that of its request object."""
    if "state" in parameters:
        return _single(parameters, "state")
    return _text(_unverified_object(parameters), "state")


def _single(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else None


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


def _unverified_object(parameters: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    """The payload of `request` as a JWS has it; empty for anything else, as for an encrypted one."""
    presented = _single(parameters, "request") or ""
    try:
        _, payload, _ = presented.split(".")
        members = orjson.loads(base64.urlsafe_b64decode(payload + "=="))
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
