"""A presented refresh token in Authlib's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.services.sessions.sessions import Presented

if TYPE_CHECKING:
    from idp.services.clients.client_authentication import AuthlibClient


class AuthlibRefreshToken:
    """A presented token under the names by which Authlib asks (its `TokenMixin`)."""

    __slots__ = ("presented",)

    def __init__(self, presented: Presented) -> None:
        self.presented = presented

    def check_client(self, client: AuthlibClient) -> bool:
        """Compared once more: `SessionService.present`, which reports it, lets no token of another client get here."""
        return client.get_client_id() == self.presented.state.session.client_id

    def get_scope(self) -> str:
        return self.presented.state.session.scope
