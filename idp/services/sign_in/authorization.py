"""
The authorization endpoint's use case: from a request, over the pages that it needs, to the answer for the client.

The request is checked once and stored; pages know it by a handle. Whatever a page has completed, `resume` looks at everything
again as it is now and names the next page or gives the answer, so no page can be left out, and none is shown that nobody needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from idp.domain.clients.clients import Client, Clients
from idp.domain.clients.redirect_uris import redirect_uri_matches
from idp.domain.operation.limits import Category
from idp.domain.sign_in.authorization import (
    MOST_BYTES,
    WITHOUT_PAGE,
    AuthorizationRequest,
    AuthorizationRequests,
    Situation,
    Step,
    Target,
    client_named,
    needed_scopes,
    new_handle,
    next_step,
)
from idp.domain.sign_in.authorization_errors import ClientError, LocalError, RequestGone
from idp.domain.sign_in.browser_sessions import Visitor, digest_of
from idp.domain.sign_in.consents import Allowed, Consent, Consents, allowed_scopes, digest_of_shown
from idp.domain.tokens.authorization_codes import AuthorizedGrant
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sign_in.authorization_request import TOO_LARGE, RequestReader
from idp.services.tokens.authorization_codes import CodeService

GONE = "This sign-in has expired, or was begun in another browser. Go back to the application and begin again."


@dataclass(frozen=True, slots=True)
class Page:
    """The step that the user has to take, for the request with that *handle*."""

    step: Step
    handle: str


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """*parameters* for the client at *target*; `iss` (RFC 9207) and `state` among them."""

    target: Target
    parameters: Mapping[str, str]


Outcome = Page | ClientAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request that waits for the user, with its client as it is now and the scopes that consent is about."""

    request: AuthorizationRequest
    client: Client
    scopes: Sequence[str]

    @property
    def shown(self) -> str | None:
        return digest_of_shown(self.client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """*browser* is the digest of the cookie that tells browsers apart: a handle that leaks is of no use in another one."""

    reader: RequestReader
    requests: AuthorizationRequests
    clients: Clients
    consents: Consents
    codes: CodeService
    limiter: RateLimiter
    issuer: str
    verified_email_required: bool
    now: Callable[[], datetime]

    async def begin(self, fields: Sequence[tuple[str, str]], browser: str, visitor: Visitor | None) -> Outcome:
        """Raises `LocalError`; every other fault is an answer for the client."""
        try:
            request = replace(await self.reader.read(fields), browser=browser)
            return await self._proceed(request, visitor)
        except ClientError as error:
            return self.refusal(error)

    async def keep(self, fields: Sequence[tuple[str, str]]) -> Page | ClientAnswer:
        """
        A request that came by POST from the client's page: with it the browser sends none of our cookies.

        Stored, to be bound to the browser that follows the redirect to `resume`.
        """
        try:
            request = await self.reader.read(fields)
            return Page(Step.SIGN_IN, await self._store(request, await self._client(request)))
        except ClientError as error:
            return self.refusal(error)

    async def resume(self, handle: str, browser: str, visitor: Visitor | None) -> Outcome:
        """Raises `LocalError` for a handle that stands for nothing in this browser."""
        request = await self._find(handle, {None, browser})
        if request.browser is None:
            request = replace(request, browser=browser)
            await self.requests.put(digest_of(handle), request)
        try:
            return await self._proceed(request, visitor, handle)
        except ClientError as error:
            return self.refusal(error)

    async def pending(self, handle: str, browser: str) -> Pending:
        """Raises `LocalError`, as `resume`, and when the client is gone."""
        request = await self._find(handle, {browser})
        client = await self._client(request)
        return Pending(request=request, client=client, scopes=needed_scopes(request))

    async def signed_in(self, handle: str, browser: str, session_id: UUID) -> None:
        """The user has just proved who it is, on the page of this request."""
        pending = await self.pending(handle, browser)
        await self.requests.put(digest_of(handle), pending.request.signed_in_by(session_id))

    async def account_chosen(self, handle: str, browser: str, session_id: UUID) -> None:
        pending = await self.pending(handle, browser)
        await self.requests.put(digest_of(handle), replace(pending.request, account_chosen=session_id))

    async def allow(self, handle: str, browser: str, visitor: Visitor, shown: str | None = None) -> None:
        """
        Consent to what the stored request asks for, whatever a form says. *shown*: `Pending.shown` of the page.

        Nothing is allowed to a client that has changed since: the user is asked again, and sees it as it is.
        """
        pending = await self.pending(handle, browser)
        if shown is not None and shown != pending.shown:
            return
        allowed = Allowed(scopes=pending.scopes, resource=pending.request.audience, shown=pending.shown)
        await self.consents.grant(visitor.user.id, pending.client.client_id, allowed)
        await self.requests.put(digest_of(handle), replace(pending.request, consented=visitor.session.id))

    async def deny(self, handle: str, browser: str) -> ClientAnswer:
        pending = await self.pending(handle, browser)
        return self.refusal(ClientError(pending.request.target, "access_denied", "The user has refused."))

    def refusal(self, error: ClientError) -> ClientAnswer:
        return self._answer(error.target, error=error.code, error_description=error.description)

    async def _proceed(
        self, request: AuthorizationRequest, visitor: Visitor | None, handle: str | None = None
    ) -> Outcome:
        client = await self._client(request)
        consent = await self.consents.find(visitor.user.id, client.client_id) if visitor else None
        step = next_step(request, self._situation(request, client, visitor, consent))
        if step is Step.DONE and visitor is not None:
            return self._answer(request.target, code=await self.codes.issue(_grant(request, visitor, consent)))
        if "none" in request.prompt:
            raise ClientError(request.target, WITHOUT_PAGE[step], "The user would have to be shown a page.")
        if handle is None and visitor is not None:
            # Per user, so that users of one network have a budget each. Whoever is not signed in is counted before.
            await self.limiter.take(Category.AUTHORIZE, str(visitor.user.id), self.requests.size(request))
        return Page(step, handle or await self._store(request, client))

    def _situation(
        self, request: AuthorizationRequest, client: Client, visitor: Visitor | None, consent: Consent | None
    ) -> Situation:
        return Situation(
            client=client,
            visitor=visitor,
            allowed=allowed_scopes(consent, client, request.audience),
            needed=needed_scopes(request),
            verified_email_required=self.verified_email_required,
            now=self.now(),
        )

    async def _store(self, request: AuthorizationRequest, client: Client) -> str:
        if self.requests.size(request) > MOST_BYTES:
            raise ClientError(request.target, "invalid_request", TOO_LARGE)
        handle = new_handle(client)
        await self.requests.put(digest_of(handle), request)
        return handle

    async def _find(self, handle: str, browsers: AbstractSet[str | None]) -> AuthorizationRequest:
        """*browsers*: to whom it may be bound; None stands for nobody yet. Raises `RequestGone`."""
        request = await self.requests.find(digest_of(handle))
        if request is None or request.browser not in browsers:
            client_id = client_named(handle)
            client = await self.clients.find(client_id) if client_id is not None else None
            raise RequestGone(GONE, client if client is not None and client.enabled else None)
        return request

    async def _client(self, request: AuthorizationRequest) -> Client:
        client = await self.clients.find(request.client_id)
        if client is None or not client.enabled or not redirect_uri_matches(client, request.target.redirect_uri):
            raise LocalError("The application is not registered here any more.")
        return client

    def _answer(self, target: Target, **parameters: str) -> ClientAnswer:
        state = {"state": target.state} if target.state is not None else {}
        return ClientAnswer(target, {**parameters, **state, "iss": self.issuer})


def _grant(request: AuthorizationRequest, visitor: Visitor, consent: Consent | None) -> AuthorizedGrant:
    return AuthorizedGrant(
        client_id=request.client_id,
        redirect_uri=request.target.redirect_uri if request.redirect_uri_given else None,
        code_challenge=request.code_challenge,
        nonce=request.nonce,
        scope=request.scope,
        audience=request.audience,
        requested_claims=request.requested_claims,
        user_id=visitor.user.id,
        auth_epoch=visitor.user.auth_epoch,
        auth_time=visitor.session.auth_time,
        amr=visitor.session.amr,
        browser_session_id=visitor.session.id,
        consented_at=consent.created_at if consent else None,
    )
