"""
Whose access tokens open /auth and /admin.

Those of the built-in client `idp-rest`, at which users sign in for just that; and those of a client that an administrator has
registered for the scope of the interface, if it asked for that and the user, unless it is first party, was asked too. Without
this rule any client is as mighty as its mightiest user: it would be enough that an administrator signs in to it once.

What is registered and allowed now counts, not what was so when the token was made.
"""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.clients.clients import REST_CLIENT, Clients
from idp.domain.sign_in.consents import Consents, allowed_scopes
from idp.services.tokens.access_tokens import UserToken


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInterfaces:
    clients: Clients
    consents: Consents

    async def open_to(self, token: UserToken, scope: str) -> bool:
        """*scope* is that of the interface. Asks no store about `idp-rest`. Raises `StoreUnavailable`."""
        session = token.state.session
        if session.client_id == REST_CLIENT.client_id:
            return True
        client = await self.clients.find(session.client_id)
        if client is None or not client.enabled or client.registered_itself:
            return False
        if scope not in token.scopes or scope not in client.scopes:
            return False
        if client.first_party:
            return True
        consent = await self.consents.find(session.user_id, client.client_id)
        return scope in allowed_scopes(consent, client, session.audience)
