"""What is sent to a server, and what a good answer holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlencode

import orjson

from bench.driver import Script

A_JWT = b'"eyJ'
A_KEY_SET = b'"keys"'


class Workload(StrEnum):
    REFRESH = "refresh"
    CLIENT_CREDENTIALS = "client_credentials"
    LOGIN = "login"
    JWKS = "jwks"


def refresh(path: str, client: tuple[str, str], refresh_token: str) -> Script:
    """*client* is its id and secret. The token goes last in the form; every token here is safe in one as it is."""
    return Script(_form_head(path, client), b"grant_type=refresh_token&refresh_token=", A_JWT, refresh_token)


def client_credentials(path: str, client: tuple[str, str]) -> Script:
    return Script(_form_head(path, client), urlencode({"grant_type": "client_credentials"}).encode(), A_JWT)


def login(path: str, credentials: Mapping[str, str]) -> Script:
    return Script(_head("POST", path, "Content-Type: application/json"), orjson.dumps(dict(credentials)), A_JWT)


def jwks(path: str) -> Script:
    return Script(_head("GET", path), b"", A_KEY_SET)


def _form_head(path: str, client: tuple[str, str]) -> bytes:
    basic = base64.b64encode(":".join(client).encode()).decode()
    form = "Content-Type: application/x-www-form-urlencoded"
    return _head("POST", path, form, f"Authorization: Basic {basic}")


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json", *headers, "Content-Length: ")
    return "\r\n".join(lines).encode()
