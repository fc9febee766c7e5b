"""
Reading a request to sign out (OpenID Connect RP-Initiated Logout 1.0, section 2).

Nothing that is wrong here is told to a client: until its redirect URI is known to be its own, nobody is sent there, and with a
request that is half wrong nobody is signed out either. An `id_token_hint` that cannot be verified counts as none: the user
who follows a link of an application that has lost its ID token, or has one of another issuer, wants to sign out all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from idp.domain.clients.clients import Client, Clients
from idp.domain.sessions.logout import LogoutRequest
from idp.domain.sign_in.authorization import MOST_BYTES
from idp.domain.sign_in.authorization_errors import LocalError
from idp.services.sign_in.authorization_request import encoded_size
from idp.services.tokens.id_tokens import Hint, IdTokens

LONGEST = 4096
HINT = "id_token_hint"  # how long it may be is the matter of who reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequestReader:
    clients: Clients
    id_tokens: IdTokens

    async def read(self, fields: Sequence[tuple[str, str]]) -> LogoutRequest:
        """*fields* of the query or the form; unknown ones are ignored. Raises `LocalError`, `StoreUnavailable`."""
        given = _given(fields)
        presented, redirect_uri = given.get(HINT), given.get("post_logout_redirect_uri")
        hint = self.id_tokens.hint(presented) if presented is not None else None
        client = await self._client(given.get("client_id"), hint)
        way_back_lost = redirect_uri is not None and client is None and presented is not None and hint is None
        if way_back_lost:
            redirect_uri = None
        _check_redirect_uri(redirect_uri, client)
        return LogoutRequest(
            client_id=client.client_id if client else None,
            client_name=client.name if client else None,
            redirect_uri=redirect_uri,
            state=given.get("state") if redirect_uri else None,
            ui_locales=given.get("ui_locales"),
            subject=hint.subject if hint else None,
            session_id=_uuid(hint.session_id) if hint else None,
            way_back_lost=way_back_lost,
        )

    async def leads_there(self, request: LogoutRequest) -> bool:
        """Whether the redirect URI is still one of the client's: it may have changed while the user was asked."""
        client = await self.clients.find(request.client_id) if request.client_id else None
        return client is not None and client.enabled and request.redirect_uri in client.post_logout_redirect_uris

    async def _client(self, claimed: str | None, hint: Hint | None) -> Client | None:
        if claimed is not None and hint is not None and claimed != hint.client_id:
            raise LocalError("The id_token_hint was made for another application than the one that client_id names.")
        client_id = claimed if claimed is not None else hint.client_id if hint else None
        client = await self.clients.find(client_id) if client_id is not None else None
        known = client is not None and client.enabled
        if claimed is not None and not known:
            raise LocalError("There is no such application here: its client_id is unknown.")
        return client if known else None


def _check_redirect_uri(redirect_uri: str | None, client: Client | None) -> None:
    if redirect_uri is None:
        return
    if client is None:
        raise LocalError("With a post_logout_redirect_uri, an id_token_hint or a client_id says whose it is.")
    if redirect_uri not in client.post_logout_redirect_uris:
        raise LocalError("The post_logout_redirect_uri is not one that is registered for this application.")


def _given(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """One without a value counts as left out (RFC 6749, section 3.1)."""
    pairs = [(name, value) for name, value in fields if value]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise LocalError("A parameter is repeated.")
    if any(len(value) > LONGEST for name, value in pairs if name != HINT):
        raise LocalError(f"A parameter has more than {LONGEST} characters.")
    if encoded_size(pair for pair in pairs if pair[0] != HINT) > MOST_BYTES:
        raise LocalError(f"The parameters have more than {MOST_BYTES} bytes together.")
    return found


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        return None
