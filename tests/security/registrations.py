"""Registering clients at a node where they may, and how it refuses."""

from __future__ import annotations

from typing import Any

import httpx
from caller import new_address

TOKEN = "a-token-of-the-operator-that-is-long-enough"
PATH = "/oauth2/register"
WEB: dict[str, Any] = {"redirect_uris": ["https://rp.example/cb"]}
DEFAULTS = {
    "redirect_uris": ["https://rp.example/cb"],
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "application_type": "web",
    "subject_type": "public",
    "id_token_signed_response_alg": "RS256",
    "require_pkce": True,
    "require_auth_time": False,
    "scope": "openid profile email address phone offline_access",
}


class Door:
    """Each call comes from an address of its own, so that what one gets wrong limits no other."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(
        self, method: str, path: str, token: str | None, body: Any = None, *, address: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"X-Forwarded-For": address or new_address()} | more.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    async def register(self, metadata: Any, token: str | None = TOKEN) -> httpx.Response:
        return await self.call("POST", PATH, token, metadata)

    async def registered(self, **metadata: Any) -> dict[str, Any]:
        answer = await self.register(WEB | metadata)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def manage(self, method: str, made: dict[str, Any], body: Any = None, **more: Any) -> httpx.Response:
        token = more.pop("token", made["registration_access_token"])
        return await self.call(method, f"{PATH}/{made['client_id']}", token, body, **more)


def is_refused(answer: httpx.Response, error: str = "invalid_client_metadata") -> bool:
    """RFC 7591, section 3.2.2."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert all(" " <= it <= "~" and it not in '"\\' for it in answer.json()["error_description"])
    return True


def is_unauthorized(answer: httpx.Response) -> bool:
    """RFC 6750, section 3."""
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "invalid_token"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="idp"')
    return True
