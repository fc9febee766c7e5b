"""
Authorization requests (RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2) and what the user still has to do for one.

A request is checked once, stored, and from then on known to pages by its handle alone. Each page completes one step;
`next_step` names the one that is missing, from the request, the visitor and the consent as they are now.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self
from uuid import UUID

from idp.domain.clients.clients import Client
from idp.domain.sign_in.browser_sessions import Visitor, new_token
from idp.domain.tokens.claims import SCOPE_CLAIMS

LIFETIME = timedelta(minutes=30)
# Of one request: percent-encoded as it comes, and as it is kept.
MOST_BYTES = 8192

# The one level there is: a password was checked (OpenID Connect Core, section 2).
PASSWORD_ACR = "urn:idp:acr:password"  # noqa: S105 - a name
PROMPTS = ("none", "login", "consent", "select_account")


class ResponseMode(StrEnum):
    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"


class Step(StrEnum):
    SIGN_IN = "sign_in"
    SELECT_ACCOUNT = "select_account"
    VERIFY = "verify"
    CONSENT = "consent"
    DONE = "done"


# What a client that wants no page is told instead (OpenID Connect Core, section 3.1.2.6).
WITHOUT_PAGE = {
    Step.SIGN_IN: "login_required",
    Step.SELECT_ACCOUNT: "account_selection_required",
    Step.VERIFY: "interaction_required",
    Step.CONSENT: "consent_required",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the answer goes, and how. Once this is known, errors go there too."""

    client_id: str
    client_name: str
    redirect_uri: str
    mode: ResponseMode = ResponseMode.QUERY
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """
    *redirect_uri_given*: the client named it, so it names it again when it redeems the code. *max_age* in seconds.
    *subject*: the user that it must be, by `id_token_hint` or the `claims` parameter.

    What happened so far: *browser* is the digest of the cookie that it is bound to, None for one that came by POST and is not
    yet bound; *signed_in* the browser session in which the user has proved who it is for this request; *account_chosen*,
    *consented*: done for this request, in that browser session.
    """

    target: Target
    redirect_uri_given: bool
    scope: str
    created_at: datetime
    nonce: str | None = None
    code_challenge: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    subject: str | None = None
    login_hint: str | None = None
    ui_locales: str | None = None
    requested_claims: Mapping[str, Any] | None = None
    audience: str | None = None
    browser: str | None = None
    signed_in: UUID | None = None
    account_chosen: UUID | None = None
    consented: UUID | None = None

    @property
    def client_id(self) -> str:
        return self.target.client_id

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    def signed_in_by(self, session_id: UUID) -> Self:
        return replace(self, signed_in=session_id, account_chosen=session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What `next_step` looks at beside the request. *allowed*: scopes the user has consented to before, for the same resource."""

    client: Client
    visitor: Visitor | None
    allowed: frozenset[str] = field(default_factory=frozenset)
    needed: Sequence[str] = ()
    verified_email_required: bool = False
    now: datetime


def new_handle(client: Client | None) -> str:
    """
    By which pages know a request. It names a client where sign-ins can be begun anew (OpenID Connect Core, section 4), since
    nothing else does once the request has expired.
    """
    token = new_token()
    if client is None or client.initiate_login_uri is None:
        return token
    return f"{token}.{base64.urlsafe_b64encode(client.client_id.encode()).rstrip(b'=').decode()}"


def client_named(handle: str) -> str | None:
    """The client_id that a handle names, proven by nothing."""
    _, _, encoded = handle.partition(".")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode() or None
    except ValueError:
        return None


def needed_scopes(request: AuthorizationRequest) -> tuple[str, ...]:
    """What consent is about: the scope, and the scopes that share the claims which the client asks for by name."""
    asked = {claim for section in (request.requested_claims or {}).values() for claim in section}
    by_name = [scope for scope, claims in SCOPE_CLAIMS.items() if asked & set(claims)]
    return tuple(dict.fromkeys([*request.scope.split(), *by_name]))


def next_step(request: AuthorizationRequest, situation: Situation) -> Step:
    visitor = situation.visitor
    if visitor is None or _must_sign_in(request, visitor, situation):
        return Step.SIGN_IN
    if "select_account" in request.prompt and request.account_chosen != visitor.session.id:
        return Step.SELECT_ACCOUNT
    if situation.verified_email_required and not visitor.user.email_verified:
        return Step.VERIFY
    return Step.CONSENT if _must_consent(request, visitor, situation) else Step.DONE


def _must_sign_in(request: AuthorizationRequest, visitor: Visitor, situation: Situation) -> bool:
    if request.subject not in (None, str(visitor.user.id)):
        return True
    if request.signed_in == visitor.session.id:
        return False  # for this very request: neither a prompt nor an age asks for more
    if "login" in request.prompt:
        return True
    longest = situation.client.default_max_age if request.max_age is None else request.max_age
    return longest is not None and situation.now - visitor.session.auth_time > timedelta(seconds=longest)


def _must_consent(request: AuthorizationRequest, visitor: Visitor, situation: Situation) -> bool:
    if "consent" in request.prompt and request.consented != visitor.session.id:
        return True
    # By what is allowed now, not by what this request was once allowed: consent may have been withdrawn meanwhile.
    return not situation.client.first_party and not set(situation.needed) <= situation.allowed


class AuthorizationRequests(Protocol):
    """*digest* is that of the handle."""

    def size(self, request: AuthorizationRequest) -> int:
        """Bytes that storing it takes, whatever step it reaches."""

    async def put(self, digest: str, request: AuthorizationRequest) -> None:
        """Stored until `LIFETIME` after it was made; replaces what was there."""

    async def find(self, digest: str) -> AuthorizationRequest | None: ...
