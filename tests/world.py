"""The server as a test sees it: over HTTP, with the stores beside it for what only they can tell or do."""

from __future__ import annotations

import asyncio
import email
import email.policy
import glob
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import jwt
import redis.asyncio

from idp.bootstrap import Services
from idp.domain.accounts.users import Role, canonical_email
from idp.domain.clients.clients import Client, ClientSecret, digest_of_secret, new_secret
from idp.domain.tokens.refresh_tokens import RefreshTokenFormat
from idp.repositories.tokens.families import family_key
from idp.settings import Settings

PASSWORD = "Correct-Horse-7"
SCOPE = "openid profile email offline_access"


@dataclass
class Tokens:
    access_token: str
    refresh_token: str
    client_id: str
    client_secret: str | None
    email: str = ""
    body: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass
class Registered:
    """A client, with the secret that only its maker knows."""

    client_id: str
    secret: str | None

    @property
    def auth(self) -> httpx.BasicAuth | None:
        return httpx.BasicAuth(self.client_id, self.secret) if self.secret else None


@dataclass
class Mail:
    subject: str
    text: str
    html: str
    headers: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> Mail:
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        assert text is not None
        assert html is not None
        return cls(message["Subject"], text.get_content(), html.get_content(), dict(message.items()))

    @property
    def link(self) -> str:
        return next(line for line in self.text.splitlines() if "?token=" in line)

    @property
    def token(self) -> str:
        return self.link.partition("?token=")[2]


class World:
    """*issuer* is where the server listens. *services* are its own, for what HTTP offers no way to do yet."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        services: Services,
        settings: Settings,
        database: asyncpg.Pool,
        cache: redis.asyncio.Redis,
        tokens: RefreshTokenFormat,
    ) -> None:
        self.http = http
        self.services = services
        self.settings = settings
        self.database = database
        self.cache = cache
        self.tokens = tokens

    # People and clients.

    def new_email(self) -> str:
        return f"user-{secrets.token_hex(8)}@example.com"

    async def registered(self, password: str = PASSWORD, name: str = "Ada") -> str:
        email = self.new_email()
        answer = await self.post("/auth/register", email=email, password=password, name=name)
        assert answer.status_code == 201, answer.text
        return email

    async def admin(self) -> Tokens:
        """Signed in as a new administrator."""
        email = await self.registered(name="Grace")
        await self.services.user_administration.set_roles(email, [Role.USER, Role.ADMIN])
        return await self.signed_in(email=email)

    async def client(self, *, public: bool = False, **properties: Any) -> Registered:
        client_id = properties.pop("client_id", f"client-{secrets.token_hex(6)}")
        secret = None if public else new_secret()
        given: dict[str, Any] = {"grant_types": ("password", "refresh_token", "client_credentials"), "scope": SCOPE}
        if public:
            given |= {"auth_method": "none", "grant_types": ("password", "refresh_token")}
        else:
            given |= {"secrets": (ClientSecret(digest_of_secret(secret or "")),)}
        assert await self.services.clients.add(Client(client_id=client_id, name="Test", **(given | properties)))
        return Registered(client_id, secret)

    async def changed_client(self, client: Registered, **properties: Any) -> None:
        known = await self.services.clients.find(client.client_id)
        assert known is not None
        assert await self.services.clients.replace(replace(known, **properties))

    async def mails(self, email: str) -> list[Mail]:
        """
        Every mail to that address so far, in the order in which they were queued: once none of the queue is still to be sent
        there. Several leave in one round, and then any of them is written first.
        """
        waiting = """
            SELECT count(*) FROM mails WHERE recipient_norm = $1 AND sent_at IS NULL AND dropped_at IS NULL
        """
        async with asyncio.timeout(30):
            while await self.database.fetchval(waiting, canonical_email(email)):
                await asyncio.sleep(0.01)
        files = self.settings.data_dir.glob(f"mail/*-{glob.escape(email)}.eml")
        # It begins with the id of the mail, a UUID of version 7.
        return sorted(map(Mail.read, files), key=lambda mail: mail.headers["Message-ID"])

    async def mail(self, email: str, subject: str) -> Mail:
        """The latest one whose subject holds *subject*."""
        found = [mail for mail in await self.mails(email) if subject in mail.subject]
        assert found, f"no mail about {subject!r}"
        return found[-1]

    # Requests.

    async def post(self, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)

    async def token(self, auth: httpx.Auth | None = None, *, agent: str | None = None, **fields: str) -> httpx.Response:
        """*agent*: the user agent, by default that of `http`."""
        headers = {"User-Agent": agent} if agent is not None else None
        return await self.http.post(
            "/oauth2/token", data=fields, auth=auth or httpx.USE_CLIENT_DEFAULT, headers=headers
        )

    async def signed_in(self, client: Registered | None = None, email: str | None = None, **fields: str) -> Tokens:
        """Through the password grant for *client*, else over REST."""
        email = email or await self.registered()
        if client is None:
            body = (await self.post("/auth/login", email=email, password=PASSWORD, **fields)).json()
            return Tokens(body["accessToken"], body["refreshToken"], "idp-rest", None, email, body)
        fields |= {"grant_type": "password", "username": email, "password": PASSWORD}
        if client.secret is None:
            fields["client_id"] = client.client_id
        answer = await self.token(client.auth, **fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Tokens(body["access_token"], body.get("refresh_token", ""), client.client_id, client.secret, email, body)

    async def refresh(self, tokens: Tokens, *, agent: str | None = None, **fields: str) -> httpx.Response:
        auth = httpx.BasicAuth(tokens.client_id, tokens.client_secret) if tokens.client_secret else None
        if auth is None:
            fields["client_id"] = tokens.client_id
        fields |= {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        return await self.token(auth, agent=agent, **fields)

    async def refreshed(self, tokens: Tokens, *, agent: str | None = None, **fields: str) -> Tokens:
        answer = await self.refresh(tokens, agent=agent, **fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return replace(tokens, access_token=body["access_token"], refresh_token=body["refresh_token"], body=body)

    async def call(self, method: str, path: str, tokens: Tokens, **options: Any) -> httpx.Response:
        """With the access token of *tokens* as bearer; *options* are httpx's, further `headers` among them."""
        headers = {"Authorization": f"Bearer {tokens.access_token}"} | options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def userinfo(self, access_token: str) -> httpx.Response:
        """200 as long as the token of any client is alive."""
        return await self.http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    async def profile(self, access_token: str) -> httpx.Response:
        return await self.http.get("/auth/profile", headers={"Authorization": f"Bearer {access_token}"})

    # What only the stores know.

    def family(self, tokens: Tokens) -> UUID:
        token = self.tokens.read(tokens.refresh_token)
        assert token is not None
        return token.family_id

    def family_key(self, tokens: Tokens) -> bytes:
        claims = jwt.decode(tokens.access_token, options={"verify_signature": False})
        return family_key(self.family(tokens), UUID(claims["sub"]))

    async def session(self, tokens: Tokens) -> asyncpg.Record:
        row = await self.database.fetchrow("SELECT * FROM sessions WHERE family_id = $1", self.family(tokens))
        assert row is not None
        return row

    async def time_passes(self, tokens: Tokens, span: timedelta) -> None:
        """For one family: its watermark moved that much earlier, as the store's own clock would have it."""
        moved = int(span.total_seconds() * 1000)
        await self.cache.hincrby(self.family_key(tokens), "t", -moved)

    async def events(self, name: str, **concerned: Any) -> list[dict[str, Any]]:
        conditions = "".join(f" AND {column} = ${place}" for place, column in enumerate(concerned, 2))
        rows = await self.database.fetch(
            f"SELECT * FROM audit.events WHERE name = $1{conditions} ORDER BY at", name, *concerned.values()
        )
        return [dict(row) | {"detail": json.loads(row["detail"])} for row in rows]
