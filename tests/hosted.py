"""A browser without JavaScript, and a client that sends it to the authorization endpoint: the hosted pages as a user sees them."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import jwt
from world import PASSWORD, Registered, World

CALLBACK = "https://app.example/callback"
SCOPE = "openid profile email offline_access"
GRANTS = ("authorization_code", "refresh_token")
# Reading the certificates of the world would take longer than many a test.
NO_TLS = False
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
INPUT = re.compile(r"<input\b[^>]*>")
ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Party:
    """A relying party: a registered client and what it remembers of one sign-in."""

    world: World
    client: Registered
    redirect_uri: str = CALLBACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    @classmethod
    async def registered(cls, world: World, *, public: bool = True, **properties: Any) -> Party:
        given = {"grant_types": GRANTS, "redirect_uris": (CALLBACK,), "first_party": True} | properties
        client = await world.client(public=public, **given)
        return cls(world, client, redirect_uri=given["redirect_uris"][0])

    def again(self) -> Party:
        """The same client with a new sign-in of its own."""
        return Party(self.world, self.client, self.redirect_uri)

    def request(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; None leaves one out."""
        given: dict[str, str | None] = {
            "client_id": self.client.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (given | changes).items() if value is not None}

    async def redeem(self, code: str, **changes: str | None) -> httpx.Response:
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        if self.client.secret is None:
            given["client_id"] = self.client.client_id
        fields = {name: value for name, value in (given | changes).items() if value is not None}
        return await self.world.token(self.client.auth, **fields)

    async def refresh(self, refresh_token: str, **fields: str) -> httpx.Response:
        if self.client.secret is None:
            fields["client_id"] = self.client.client_id
        return await self.world.token(
            self.client.auth, grant_type="refresh_token", refresh_token=refresh_token, **fields
        )

    async def tokens(self, browser: Browser, email: str, **changes: str | None) -> dict[str, Any]:
        """Through the whole flow: signed in, consent given where it is asked for, code redeemed."""
        answer = await browser.authorized(self, email, **changes)
        done = await self.redeem(answer["code"])
        assert done.status_code == 200, done.text
        return dict(done.json())


@dataclass
class Form:
    """A page's form: where it goes, what it would send."""

    action: str
    fields: dict[str, str]


class Browser:
    """Keeps cookies, follows no redirect by itself, and runs nothing."""

    def __init__(self, world: World, **headers: str) -> None:
        self.world = world
        self.http = httpx.AsyncClient(base_url=world.settings.issuer, timeout=30, headers=headers, verify=NO_TLS)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """To the first page of ours that is no redirect, or the redirect that leads away from us."""
        for _ in range(10):
            location = answer.headers.get("location")
            if answer.status_code not in (302, 303) or not self.is_ours(location):
                return answer
            answer = await self.http.get(urljoin(str(answer.url), location))
        raise AssertionError("redirected in circles")

    def is_ours(self, location: str) -> bool:
        return urljoin(self.world.settings.issuer, location).startswith(self.world.settings.issuer)

    async def submit(self, page: httpx.Response, button: str | None = None, **fields: str) -> httpx.Response:
        """The page's form, with *fields* filled in and the button of that id pressed. Redirects are followed among our pages."""
        form = form_of(page, button)
        pressed = button_of(page, button) if button else {}
        action = urljoin(str(page.url), form.action)
        return await self.follow(await self.http.post(action, data=form.fields | pressed | fields))

    async def authorize(self, party: Party, **changes: str | None) -> httpx.Response:
        """The first page that the request leads to, or the answer for the client."""
        return await self.follow(await self.get("/oauth2/authorize", params=party.request(**changes)))

    async def sign_in(self, page: httpx.Response, email: str, password: str = PASSWORD) -> httpx.Response:
        return await self.submit(page, "sign-in", email=email, password=password)

    async def signed_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """For no client. The answer is what follows."""
        answer = await self.http.post(
            "/login", data=form_of(await self.get("/login")).fields | {"email": email, "password": password}
        )
        assert answer.status_code == 303, answer.text
        return answer

    async def authorized(self, party: Party, email: str, **changes: str | None) -> dict[str, str]:
        """What the client is answered, once the user has done whatever was asked."""
        page = await self.authorize(party, **changes)
        if 'id="sign-in"' in page.text:
            page = await self.sign_in(page, email)
        if 'id="allow"' in page.text:
            page = await self.submit(page, "allow")
        return answer_of(page)

    def cookie(self, name: str) -> str | None:
        return next(
            (cookie.value for cookie in self.http.cookies.jar if cookie.name.removeprefix("__Host-") == name), None
        )


def form_of(page: httpx.Response, button: str | None = None) -> Form:
    """The form with the button of that id, else the first one of the page's content; not the one that signs out."""
    assert page.status_code < 500, page.text
    content = page.text.partition("<main")[2]
    found = next(
        (
            form
            for form in FORM.findall(content if button is None else page.text)
            if not button or f'id="{button}"' in form
        ),
        None,
    )
    assert found, page.text
    tag = dict(ATTRIBUTE.findall(found.partition(">")[0]))
    inputs = [dict(ATTRIBUTE.findall(it)) for it in INPUT.findall(found)]
    fields = {
        it["name"]: html.unescape(it.get("value", "")) for it in inputs if "name" in it and it.get("type") != "checkbox"
    }
    return Form(html.unescape(tag["action"]), fields)


def button_of(page: httpx.Response, button: str) -> dict[str, str]:
    """The name and value that pressing it adds; a page without such a button fails the test."""
    tag = re.search(rf'<button\b[^>]*\bid="{button}"[^>]*>', page.text)
    assert tag, page.text
    attributes = dict(ATTRIBUTE.findall(tag[0]))
    return {attributes["name"]: attributes["value"]} if "name" in attributes else {}


def answer_of(response: httpx.Response) -> dict[str, str]:
    """The parameters for the client, wherever they stand in the redirect."""
    assert response.status_code in (302, 303), response.text
    parts = urlsplit(response.headers["location"])
    pairs = parse_qsl(parts.query or parts.fragment, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))
