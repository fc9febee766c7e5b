"""A presented refresh token in Authlib's terms."""

from __future__ import annotations

from idp.services.sessions import Presented


class AuthlibRefreshToken:
    """A presented token under the names by which Authlib asks (its `TokenMixin`)."""

    __slots__ = ("presented",)

    def __init__(self, presented: Presented) -> None:
        self.presented = presented

    def check_client(self, client: object) -> bool:
        """`SessionService.present` has compared them: a token of another client does not get here."""
        return True

    def get_scope(self) -> str:
        return self.presented.state.session.scope
