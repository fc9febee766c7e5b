"""Sessions opened without HTTP, and the steps that a refresh repeats with each of them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench import ours
from idp.bootstrap import Services
from idp.controllers.tokens.token import PATH
from idp.domain.accounts.users import User
from idp.domain.clients.clients import Client
from idp.domain.tokens.refresh_tokens import NONCE_SIZE, Families
from idp.services.sessions.sessions import Presented


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that nobody has refreshed yet."""

    client: Client
    authorization: str = field(repr=False)
    refresh_token: str = field(repr=False)
    presented: Presented = field(repr=False)

    @property
    def form(self) -> list[tuple[str, str]]:
        return [("grant_type", "refresh_token"), ("refresh_token", self.refresh_token)]


@dataclass(frozen=True, slots=True)
class Door:
    """A client and its users, for whom sessions are opened."""

    services: Services
    client: Client
    users: Sequence[User]
    authorization: str = field(repr=False)

    @classmethod
    async def new(cls, services: Services, users: int) -> Door:
        secret = await ours.confidential_client(services)
        emails = await ours.people(services, 4, users)  # nobody signs in: the hash is never used
        client = await services.clients.find(ours.CLIENT_ID)
        found = [await services.users.find_by_email(email) for email in emails]
        if client is None or None in found:
            raise RuntimeError("what was just stored is not there")
        basic = base64.b64encode(f"{ours.CLIENT_ID}:{secret}".encode()).decode()
        return cls(services, client, [user for user in found if user], f"Basic {basic}")

    async def sessions(self) -> list[Opened]:
        """One for each user."""
        return [await self._open(user) for user in self.users]

    async def _open(self, user: User) -> Opened:
        service = self.services.session_service
        session = service.new(user, self.client, scope=ours.SCOPE, audience=None)
        refresh_token = await service.start(session, refreshable=True)
        if refresh_token is None:
            raise RuntimeError("the user changed meanwhile")
        presented = await service.present(refresh_token, self.client.client_id)
        return Opened(self.client, self.authorization, refresh_token, presented)


class Rotations:
    """The Redis half of a refresh: each step rotates what the one before named."""

    def __init__(self, families: Families, opened: Opened) -> None:
        self._families = families
        self._client_id = opened.client.client_id
        self._user_id = opened.presented.state.session.user_id
        self._token = opened.presented.token

    async def step(self) -> None:
        rotation = await self._families.rotate(
            self._token, self._user_id, self._client_id, secrets.token_bytes(NONCE_SIZE)
        )
        if rotation.successor is None:
            raise RuntimeError(f"not rotated: {rotation.outcome}")
        self._token = rotation.successor


class Refreshes:
    """Refreshes as an ASGI server would call *app*: each step spends the token that the one before was given."""

    def __init__(self, app: Any, opened: Opened, *, rotates: bool = True) -> None:
        self._app = app
        self._token = opened.refresh_token
        self._rotates = rotates
        self._headers = [
            (b"host", b"idp.example"),
            (b"accept", b"application/json"),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"authorization", opened.authorization.encode()),
        ]

    async def step(self) -> None:
        body = b"grant_type=refresh_token&refresh_token=" + self._token.encode()
        incoming = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return incoming.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(self._scope(len(body)), receive, send)
        if sent[0]["status"] != 200:
            raise RuntimeError(f"refused with status {sent[0]['status']}")
        if self._rotates:
            self._token = orjson.loads(sent[1]["body"])["refresh_token"]

    def _scope(self, length: int) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*self._headers, (b"content-length", b"%d" % length)],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }
