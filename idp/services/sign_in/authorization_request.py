"""
Reading an authorization request: what is checked before a user sees anything.

RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2.1; RFC 7636; RFC 8707; RFC 9700. First who asks and where the
answer goes; everything that is wrong after that is told there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from idp.domain.clients.clients import Client, Clients
from idp.domain.clients.redirect_uris import redirect_uri_matches
from idp.domain.sign_in.authorization import (
    MOST_BYTES,
    PASSWORD_ACR,
    PROMPTS,
    AuthorizationRequest,
    ResponseMode,
    Target,
)
from idp.domain.sign_in.authorization_errors import ClientError, LocalError
from idp.domain.tokens.claims import within_scopes
from idp.domain.tokens.claims_request import MalformedClaims, claims_request, demanded_acr, demanded_subject
from idp.domain.tokens.scopes import granted_scope
from idp.services.sign_in import response_mode
from idp.services.tokens.id_tokens import IdTokens

GRANT_TYPE = "authorization_code"
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # the SHA-256 of a verifier (RFC 7636, section 4.2)
LONGEST = 4096
LONGEST_HINT = 320
TOO_LARGE = f"The request has more than {MOST_BYTES} bytes: shorten its state, nonce or claims."
# Where a client would have its request somewhere else; a server that does not take these says so (OpenID Connect Core,
# sections 6 and 7.2.1), and fetches nothing.
UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
HINT = "id_token_hint"
# Of these nothing is kept; how long a hint may be is the matter of who reads it.
NOT_KEPT = {HINT, *UNSUPPORTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReader:
    clients: Clients
    id_tokens: IdTokens
    now: Callable[[], datetime]

    async def read(self, fields: Sequence[tuple[str, str]]) -> AuthorizationRequest:
        """*fields* of the query or the form. Raises `LocalError`, `ClientError`, `StoreUnavailable`."""
        given = _Given(fields)
        client = await self._client(given)
        target, redirect_uri_given = _target(given, client)
        return self._request(given, client, target, redirect_uri_given)

    async def _client(self, given: _Given) -> Client:
        client_id = given.proven("client_id")
        if client_id is None:
            raise LocalError("The parameter client_id is missing.")
        client = await self.clients.find(client_id)
        if client is None or not client.enabled:
            raise LocalError("There is no such application here: its client_id is unknown.")
        return client

    def _request(self, given: _Given, client: Client, target: Target, redirect_uri_given: bool) -> AuthorizationRequest:
        def refuse(code: str, description: str) -> ClientError:
            return ClientError(target, code, description)

        _check_shape(given, refuse)
        if GRANT_TYPE not in client.grant_types:
            raise refuse("unauthorized_client", "The client is not registered for the grant authorization_code.")
        # Clients of MCP servers ask for all that the server or our discovery lists, whatever was left out at registration.
        scope = granted_scope(given.get("scope"), client.scope, partly=client.registered_itself)
        if scope is None:
            raise refuse("invalid_scope", "The client may not ask for that scope.")
        if "openid" in scope.split() and not redirect_uri_given:
            raise refuse("invalid_request", "The parameter redirect_uri is missing.")
        requested = _claims(given, client, refuse)
        return AuthorizationRequest(
            target=target,
            redirect_uri_given=redirect_uri_given,
            scope=scope,
            created_at=self.now(),
            nonce=given.get("nonce"),
            code_challenge=_challenge(given, client, refuse),
            prompt=_prompt(given, refuse),
            max_age=_max_age(given, refuse),
            subject=self._subject(given, client, requested, refuse),
            login_hint=_hint(given),
            ui_locales=given.get("ui_locales"),
            requested_claims=requested,
            audience=_audience(given, client, refuse),
        )

    def _subject(
        self, given: _Given, client: Client, requested: Mapping[str, Any] | None, refuse: Refuse
    ) -> str | None:
        """A hint that cannot be verified counts as none: it proves nothing, and whoever sends one could leave it out."""
        presented = given.get(HINT)
        hint = self.id_tokens.hint(presented) if presented is not None else None
        if hint is not None and hint.client_id != client.client_id:
            raise refuse("invalid_request", "The id_token_hint was made for another client.")
        demanded = demanded_subject(requested)
        if hint is not None and demanded not in (None, hint.subject):
            raise refuse("invalid_request", "The id_token_hint and the claims parameter name different users.")
        return hint.subject if hint is not None else demanded


Refuse = Callable[[str, str], ClientError]


class _Given:
    """The parameters. One without a value counts as left out (RFC 6749, section 3.1)."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self.values: dict[str, list[str]] = {}
        for name, value in fields:
            if value:
                self.values.setdefault(name, []).append(value)

    def get(self, name: str) -> str | None:
        return next(iter(self.values.get(name, ())), None)

    def words(self, name: str) -> list[str]:
        """Of a list that spaces separate: also those before, after and between its members make no member."""
        return [word for word in (self.get(name) or "").split(" ") if word]

    def proven(self, name: str) -> str | None:
        """Of what decides where errors go: repeated, nothing is proven."""
        values = self.values.get(name, [])
        if len(values) > 1:
            raise LocalError(f"The parameter {name} is repeated.")
        return values[0] if values else None


def _target(given: _Given, client: Client) -> tuple[Target, bool]:
    presented = given.proven("redirect_uri")
    if presented is None and len(client.redirect_uris) != 1:
        raise LocalError("The parameter redirect_uri is missing.")
    if presented is not None and not redirect_uri_matches(client, presented):
        raise LocalError("The redirect_uri is not one that is registered for this application.")
    target = Target(
        client_id=client.client_id, client_name=client.name, redirect_uri=presented or client.redirect_uris[0]
    )
    state = response_mode.state(given.values)
    if state is not None and len(state) <= LONGEST:
        target = replace(target, state=state)
    return replace(target, mode=response_mode.response_mode(given.values)), presented is not None


def _check_shape(given: _Given, refuse: Refuse) -> None:
    repeated = [name for name, values in given.values.items() if len(values) > 1]
    if set(repeated) - {"resource"}:
        raise refuse("invalid_request", _text("The request repeats a parameter", repeated))
    if repeated:  # which RFC 8707 allows; a token of ours is for one
        raise refuse("invalid_target", "Ask for one resource at a time.")
    if long := [name for name, (value, *_) in given.values.items() if len(value) > LONGEST and name not in NOT_KEPT]:
        raise refuse("invalid_request", _text(f"The request has a parameter of more than {LONGEST} characters", long))
    kept = ((name, value) for name, (value, *_) in given.values.items() if name not in NOT_KEPT)
    if encoded_size(kept) > MOST_BYTES:
        raise refuse("invalid_request", TOO_LARGE)
    for name, code in UNSUPPORTED.items():
        if name in given.values:
            raise refuse(code, f"This server does not take the parameter {name}.")
    if (mode := given.get("response_mode")) is not None and mode not in list(ResponseMode):
        raise refuse("invalid_request", f"The response_mode is one of {', '.join(ResponseMode)}.")
    response_type = given.words("response_type")
    if not response_type:
        raise refuse("invalid_request", "The parameter response_type is missing.")
    if response_type != ["code"]:
        raise refuse("unsupported_response_type", "The response_type is code.")


def encoded_size(fields: Iterable[tuple[str, str]]) -> int:
    """Bytes of *fields* as a URL or a form has them."""
    return len(urlencode(list(fields)))


def _text(what: str, names: Sequence[str]) -> str:
    """Names of our own only: a description holds few characters (RFC 6749, section 4.1.2.1)."""
    plain = [name for name in names if re.fullmatch(r"[a-z_]{1,40}", name)]
    return f"{what}: {', '.join(plain)}." if plain else f"{what}."


def _challenge(given: _Given, client: Client, refuse: Refuse) -> str | None:
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None:
        if client.public or client.require_pkce or method is not None:
            raise refuse("invalid_request", "The parameter code_challenge is missing (RFC 7636).")
        return None
    if method != "S256":  # left out it would mean plain
        raise refuse("invalid_request", "The code_challenge_method is S256.")
    if not CHALLENGE.fullmatch(challenge):
        raise refuse("invalid_request", "The code_challenge is 43 characters in base64url, without padding.")
    return challenge


def _prompt(given: _Given, refuse: Refuse) -> tuple[str, ...]:
    prompts = tuple(dict.fromkeys(given.words("prompt")))
    if not set(prompts) <= set(PROMPTS):
        raise refuse("invalid_request", f"The prompt is made of {', '.join(PROMPTS)}.")
    if "none" in prompts and len(prompts) > 1:
        raise refuse("invalid_request", "The prompt none excludes every other.")
    return prompts


def _max_age(given: _Given, refuse: Refuse) -> int | None:
    text = given.get("max_age")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise refuse("invalid_request", "The max_age is a number of seconds.")
    return int(text)


def _claims(given: _Given, client: Client, refuse: Refuse) -> Mapping[str, Any] | None:
    """By name as by scope, a client is told nothing that it is not registered for."""
    text = given.get("claims")
    if text is None:
        return None
    try:
        requested = claims_request(text)
    except MalformedClaims as fault:
        raise refuse("invalid_request", str(fault)) from None
    if (levels := demanded_acr(requested)) is not None and PASSWORD_ACR not in levels:
        raise refuse("unmet_authentication_requirements", "This server cannot sign users in at that level (acr).")
    return {section: within_scopes(claims, client.scopes) for section, claims in requested.items()}


def _hint(given: _Given) -> str | None:
    hint = given.get("login_hint")
    return hint if hint is not None and len(hint) <= LONGEST_HINT and hint.isprintable() else None


def _audience(given: _Given, client: Client, refuse: Refuse) -> str | None:
    resource = given.get("resource")
    if resource is None:
        return None
    if not client.may_ask_for(resource):
        raise refuse("invalid_target", "The client may not ask for that resource.")
    return resource
