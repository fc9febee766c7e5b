"""What every release must be able to do, asked as a client would."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from nodes import Failed
from rs256 import Unverified, claims

TIMEOUT = 20.0
DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid offline_access"

Json = dict[str, Any]


class Smoke:
    """
    Discovery, keys, a token of *client* verified with them; with a *user* a session that is refreshed at every check, so
    that it lives through all releases of a roll-out. Both are (name, secret).
    """

    def __init__(
        self, issuer: str, client: tuple[str, str], user: tuple[str, str] | None, context: ssl.SSLContext
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._user = user
        self._context = context
        self._refresh_token: str | None = None

    def check(self, base: str) -> None:
        """Everything at the server whose address is *base*. Raises `Failed`."""
        metadata = self._json(base + DISCOVERY)
        if str(metadata.get("issuer")).rstrip("/") != self._issuer.rstrip("/"):
            raise Failed(f"smoke at {base}: the issuer is {metadata.get('issuer')}, not {self._issuer}")
        jwks = self._json(base + _path(metadata, "jwks_uri"))
        token_endpoint = base + _path(metadata, "token_endpoint")
        self._verified(base, jwks, self._token(token_endpoint, grant_type="client_credentials"))
        if self._user is not None:
            self._verified(base, jwks, self._session(token_endpoint))
        print(f"smoke at {base}: good", flush=True)

    def end(self, base: str) -> None:
        """Leaves no session behind, as far as that can be done."""
        if self._refresh_token is None:
            return
        try:
            metadata = self._json(base + DISCOVERY)
            self._sent(base + _path(metadata, "revocation_endpoint"), {"token": self._refresh_token})
        except Failed as fault:
            print(f"the session of the smoke test stays until it expires: {fault}", flush=True)
        self._refresh_token = None

    def _session(self, endpoint: str) -> Json:
        if self._refresh_token is None:
            name, password = self._user or ("", "")
            answer = self._token(endpoint, grant_type="password", username=name, password=password, scope=SCOPE)
            self._refresh_token = answer.get("refresh_token")
        answer = self._token(endpoint, grant_type="refresh_token", refresh_token=self._refresh_token or "")
        self._refresh_token = answer.get("refresh_token")
        return answer

    def _verified(self, base: str, jwks: Json, answer: Json) -> None:
        try:
            told = claims(str(answer.get("access_token")), jwks)
        except Unverified as fault:
            raise Failed(f"smoke at {base}: {fault}") from None
        if str(told.get("iss")).rstrip("/") != self._issuer.rstrip("/") or told.get("client_id") != self._client[0]:
            raise Failed(f"smoke at {base}: a token for {told.get('client_id')} from {told.get('iss')}")

    def _token(self, endpoint: str, **form: str) -> Json:
        return self._sent(endpoint, form)

    def _sent(self, url: str, form: Json) -> Json:
        pair = ":".join(urllib.parse.quote(part, safe="") for part in self._client)  # RFC 6749, section 2.3.1
        headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return self._json(url, urllib.parse.urlencode(form).encode(), headers)

    def _json(self, url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Json:
        """Raises `Failed` with the error code at most: nothing that was sent, and no token."""
        request = urllib.request.Request(url, data, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._context) as answer:
                body = answer.read()
            found = json.loads(body) if body else {}
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Failed(f"smoke at {url}: {refusal.code} {_code(refusal.read())}") from None
        except (OSError, ValueError) as fault:
            raise Failed(f"smoke at {url}: {type(fault).__name__}: {fault}") from None
        if not isinstance(found, dict):
            raise Failed(f"smoke at {url}: no object of JSON")
        return found


def _path(metadata: Json, name: str) -> str:
    """The endpoints name the proxy; the check may be for a node behind it. Nodes need no path of the issuer's."""
    if not isinstance(metadata.get(name), str):
        raise Failed(f"smoke: discovery has no {name}")
    below = urllib.parse.urlsplit(str(metadata.get("issuer"))).path.rstrip("/")
    return urllib.parse.urlsplit(metadata[name]).path.removeprefix(below)


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body).get("error", ""))[:64]
    except (ValueError, AttributeError):
        return ""
