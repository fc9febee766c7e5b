"""Requests as a fuzzer would send them, each drawn from a seed: mutations of good ones over every endpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

FORM, JSON = b"application/x-www-form-urlencoded", b"application/json"

ENDPOINTS: Sequence[tuple[bytes, bytes, str]] = (
    (b"POST", b"/oauth2/token", "form"),
    (b"POST", b"/oauth2/token", "form"),
    (b"POST", b"/oauth2/token", "form"),
    (b"POST", b"/auth/register", "json"),
    (b"POST", b"/auth/login", "json"),
    (b"POST", b"/auth/refresh", "json"),
    (b"POST", b"/auth/logout", "json"),
    (b"POST", b"/auth/logout-all", "none"),
    (b"GET", b"/auth/profile", "none"),
    (b"PATCH", b"/auth/profile", "json"),
    (b"GET", b"/.well-known/openid-configuration", "none"),
    (b"GET", b"/.well-known/jwks.json", "none"),
    (b"GET", b"/health", "none"),
    (b"GET", b"/health/ready", "none"),
    (b"GET", b"/", "none"),
    (b"GET", b"/assets/style.css", "none"),
    (b"POST", b"/oauth2/introspect", "form"),
    (b"POST", b"/oauth2/revoke", "form"),
    (b"GET", b"/oauth2/authorize", "none"),
    (b"POST", b"/oauth2/logout", "form"),
    (b"GET", b"/oauth2/userinfo", "none"),
    (b"POST", b"/auth/forgot-password", "json"),
    (b"POST", b"/auth/change-password", "json"),
    (b"DELETE", b"/auth/sessions/x", "none"),
    (b"GET", b"/admin/users", "none"),
    (b"GET", b"/nowhere", "none"),
)
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"FOO", b"PRI", b"X-Y!~")
PATHS = (
    b"/",
    b"//",
    b"/..",
    b"/%2e%2e",
    b"%00",
    b"%ff",
    b"%",
    b"%zz",
    b";a=b",
    b"?",
    b"?a=%ff&a",
    b"?" + b"a&" * 900,
    b"." * 99,
    b"~'\"<>",
)
TEXTS = (
    b"", b" ", b"\0", b"%", b"%00", b"%zz", b"'", b'"', b"\\", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    "é".encode(), "\u202e".encode(), "😀".encode(), "\u0301".encode() * 300, b"null", b"true", b"-1", b"1e999", b"NaN", b"[]",
    b"{}", b"{{7*7}}", b"${jndi:ldap://x}", b"' OR 1=1 --", b"../../etc/passwd", b"<script>", b"a" * 300, b"a" * 5000, b"9" * 4400,
    b"\r\n", b"\x1b[31m", b"=", b"&", b"+", b";", b",", b"a,b", b"\x7f", "ﷺ".encode() * 50,
)  # fmt: skip
CONTENT_TYPES = (
    FORM,
    JSON,
    b"",
    b"text/plain",
    b"multipart/form-data; boundary=x",
    JSON + b"; charset=utf-16",
    b"\xff",
    b"a/b/c",
)
FORM_NAMES = (
    b"grant_type",
    b"username",
    b"password",
    b"scope",
    b"refresh_token",
    b"client_id",
    b"client_secret",
    b"resource",
    b"token",
)
JSON_NAMES = ("email", "password", "name", "refreshToken", "currentPassword", "newPassword", "token", "role", "")
HEADERS = (
    b"Authorization", b"Content-Type", b"Origin", b"Access-Control-Request-Method", b"X-Request-Id", b"X-Forwarded-For",
    b"Cookie", b"Accept", b"If-None-Match", b"Range", b"Content-Encoding", b"X-HTTP-Method-Override", b"Forwarded", b"TE",
    b"Sec-Fetch-Site", b"Referer", b"User-Agent", b"Expect", b"Trailer", b"Accept-Language", b"Host",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What makes some requests good enough to get further."""

    email: str
    password: str
    client_id: str
    client_secret: str
    access_token: str
    refresh_token: str


@dataclass(frozen=True)
class MalformedRequest:
    """*framed*: whoever reads it knows where it ends, so the connection can be used again."""

    method: str
    data: bytes
    framed: bool


class Malformed:
    def __init__(self, seed: int, known: Known) -> None:
        self._random = Random(seed)
        self._good = {
            b"grant_type": (b"password", b"refresh_token", b"client_credentials", b"authorization_code"),
            b"username": (known.email.encode(),),
            b"password": (known.password.encode(),),
            b"scope": (b"openid", b"openid email"),
            b"refresh_token": (known.refresh_token.encode(), known.access_token.encode()),
            b"client_id": (known.client_id.encode(), b"idp-rest"),
            b"client_secret": (known.client_secret.encode(),),
            b"resource": (b"https://api.example",),
            b"token": (known.refresh_token.encode(), known.access_token.encode()),
        }
        self._values = {
            "email": known.email,
            "password": known.password,
            "refreshToken": known.refresh_token,
            "name": "Ada",
        }
        self._authorizations = (
            b"Bearer " + known.access_token.encode(),
            b"Bearer " + known.refresh_token.encode(),
            b"Basic " + b"Zm9vOmJhcg==",
            b"Bearer eyJhbGciOiJub25lIn0.e30.",
        )

    def request(self) -> MalformedRequest:
        method, path, kind = self._random.choice(ENDPOINTS)
        if self._once_in(8):
            method = self._random.choice(METHODS)
        if self._once_in(5):
            path = self._path(path)
        body = self._body(kind)
        head = [b"%s %s HTTP/1.1" % (method, path), b"Host: x", *self._headers(kind)]
        framed, framing, content = self._framing(body)
        whole = b"\r\n".join([*head, *framing, b"", b""])
        return MalformedRequest(method.decode(), whole + content, framed and whole.index(b"\r\n\r\n") == len(whole) - 4)

    def _once_in(self, times: int) -> bool:
        return self._random.randrange(times) == 0

    def _path(self, path: bytes) -> bytes:
        place = self._random.randrange(1, len(path) + 1)
        return path[:place] + self._random.choice(PATHS) + path[place:]

    def _headers(self, kind: str) -> list[bytes]:
        lines = []
        if kind != "none" and not self._once_in(10):
            lines.append(b"Content-Type: " + (FORM if kind == "form" else JSON))
        if self._once_in(2):
            lines.append(b"Authorization: " + self._maybe_mutated(self._random.choice(self._authorizations), 3))
        for _ in range(self._random.randrange(3)):
            value = self._random.choice(CONTENT_TYPES if self._once_in(4) else TEXTS)
            lines.append(self._random.choice(HEADERS) + b": " + self._without_ends(value))
        return lines

    def _body(self, kind: str) -> bytes:
        if kind == "none" and not self._once_in(10):
            return b""
        body = self._form() if kind == "form" else self._json()
        return self._maybe_mutated(body, 3)

    def _form(self) -> bytes:
        names = self._random.sample(FORM_NAMES, self._random.randrange(len(FORM_NAMES) + 1))
        names = [b"grant_type", b"client_id", b"client_secret", *names] if self._once_in(2) else names
        pairs = [
            (name, self._random.choice(TEXTS if self._once_in(3) else self._good[name]))
            for name in dict.fromkeys(names)
        ]
        return b"&".join(
            name + b"=" + (value if self._once_in(4) else quote_from_bytes(value).encode()) for name, value in pairs
        )

    def _json(self) -> bytes:
        names = self._random.sample(JSON_NAMES, self._random.randrange(5))
        names = ["email", "password", "name"][: self._random.randrange(4)] if self._once_in(3) else names
        return json.dumps({name: self._member(name) for name in names}).encode()

    def _member(self, name: str, depth: int = 0) -> Any:
        if name in self._values and not self._once_in(3):
            return self._values[name]
        odd = (None, True, 0, -1.5, 10**400, float("nan"), "\ud800", [], {})
        if self._once_in(3):
            return self._random.choice(odd)
        if self._once_in(6) and depth < 30:
            return [self._member(name, depth + 1), {name: self._member(name, depth + 1)}]
        return self._random.choice(TEXTS).decode("utf-8", "surrogateescape")

    def _maybe_mutated(self, data: bytes, times: int) -> bytes:
        return self._mutated(data) if self._once_in(times) else data

    def _mutated(self, data: bytes) -> bytes:
        for _ in range(self._random.randrange(1, 4)):
            place, end = sorted(self._random.randrange(len(data) + 1) for _ in range(2))
            change = self._random.randrange(5)
            inserted = (self._random.randbytes(2), self._random.choice(TEXTS), data[place:end], b"", data[:place])[
                change
            ]
            data = data[:place] + inserted + data[end if change > 2 else place :]
        return data + b" " * 70_000 if self._once_in(200) else data[:8_000]

    def _without_ends(self, value: bytes) -> bytes:
        return value.replace(b"\r", b"").replace(b"\n", b"") if not self._once_in(40) else value

    def _framing(self, body: bytes) -> tuple[bool, list[bytes], bytes]:
        if self._once_in(12):
            middle = self._random.randrange(len(body) + 1)
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
            return True, [b"Transfer-Encoding: chunked"], chunks + b"0\r\n\r\n"
        if self._once_in(40):
            wrong = self._random.choice(
                (b"0", b"-1", b"x", b"99999999", b"%d" % (len(body) + 1), b"%d" % max(0, len(body) - 1))
            )
            return False, [b"Content-Length: " + wrong], body
        return True, [b"Content-Length: %d" % len(body)] if body or self._once_in(2) else [], body
