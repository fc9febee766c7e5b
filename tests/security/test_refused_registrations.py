"""What a client that registers itself (RFC 7591) may not ask for."""

from __future__ import annotations

from typing import Any

import pytest
from registrations import PATH, TOKEN, WEB, Door, is_refused
from test_client_rules import CLOBBERING, REFUSED

from keys import encoded, key_set, new_key


@pytest.mark.parametrize("uri", [*REFUSED, *(f"https://a.example/cb?{query}" for query in CLOBBERING)])
async def test_a_redirect_uri_that_could_lead_elsewhere_is_refused(door: Door, uri: str) -> None:
    """RU4, RU6."""
    error = "invalid_client_metadata" if "\x00" in uri else "invalid_redirect_uri"

    assert is_refused(await door.register({"redirect_uris": ["https://rp.example/cb", uri]}), error)


@pytest.mark.parametrize("uris", [None, [], "https://rp.example/cb", [5], [None], {}, [["https://rp.example/cb"]]])
async def test_a_client_names_a_redirect_uri(door: Door, uris: Any) -> None:
    assert is_refused(await door.register({"redirect_uris": uris}), "invalid_redirect_uri")


PRIVATE = new_key()


@pytest.mark.parametrize(
    "members",
    [
        *(
            {"grant_types": types}
            for types in (["password"], ["client_credentials"], ["implicit"], ["refresh_token"], ["x"], "x", 5)
        ),
        *({"response_types": types} for types in (["token"], ["code id_token"], ["none"], "code")),
        *({"token_endpoint_auth_method": it} for it in ("client_secret_jwt", "tls_client_auth", "x", 5)),
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "none", "require_pkce": False},
        *({name: "none"} for name in ("id_token_signed_response_alg", "userinfo_signed_response_alg")),
        {"id_token_signed_response_alg": "HS256"},
        {"token_endpoint_auth_signing_alg": "HS256"},
        *({"subject_type": it} for it in ("pairwise", 5)),
        *({"scope": it} for it in ("api:write", "idp:admin idp:account", 'a"b', ["openid"])),
        *({"application_type": it} for it in ("desktop", 5)),
        *({"default_max_age": it} for it in (-1, "60", 1.5, True, 10**30)),
        *({"require_pkce": it} for it in ("false", 0)),
        *({"client_name": it} for it in (" ", "x" * 101, "a\x07b", "a\u202eb", "Ad\u200bmin", "\u3164", 5)),
        *({name: "javascript:alert(1)"} for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri")),
        *({name: "http://169.254.169.254/"} for name in ("jwks_uri", "backchannel_logout_uri", "initiate_login_uri")),
        *({"initiate_login_uri": it} for it in ("x", "javascript:alert(1)", "https://rp.example/#x", 5)),
        {"post_logout_redirect_uris": ["https://rp.example/#x"]},
        {"jwks": {"keys": [encoded(PRIVATE.private, PRIVATE.kind)]}},
        {"jwks": key_set(PRIVATE), "jwks_uri": "https://rp.example/jwks"},
        *({"jwks": it} for it in ("x", [], {}, {"keys": "x"})),
        {"contacts": ["x"]},
        {"contacts": [f"a{number}@b.example" for number in range(51)]},
    ],
)
async def test_what_is_not_supported_is_said(door: Door, members: dict[str, Any]) -> None:
    """SC10: nothing is registered that does not work."""
    assert is_refused(await door.register(WEB | members))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *(
            (body, "application/json")
            for body in (b"", b"{", b"[]", b"null", b"5", b"\xff", b'{"a":1,"a":2}', b"[" * 9000)
        ),
        *(
            (body, "application/json")
            for body in (b'{"client_name": "\\ud800"}', b'{"client_name": "\\u0000"}', b"NaN")
        ),
        (b"redirect_uris=https://rp.example/cb", "application/x-www-form-urlencoded"),
        (b'{"redirect_uris": ["https://rp.example/cb"]}', "text/plain"),
        (b"", None),
    ],
)
async def test_what_cannot_be_read_is_refused(door: Door, body: bytes, kind: str | None) -> None:
    """IN1: never a 500."""
    headers = {} if kind is None else {"Content-Type": kind}

    assert is_refused(await door.call("POST", PATH, TOKEN, content=body, headers=headers))


async def test_a_body_that_is_too_large_is_refused(door: Door) -> None:
    answer = await door.register(WEB | {"software_statement": "x" * 70_000})

    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")
