"""What a client must not sign, nor sign with (CA11; RFC 7523, OpenID Connect Core, section 9)."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from forger import encoded
from places import place
from signing_clients import Service, asked, service
from test_client_authentication import refused
from world import World

from keys import key_set, new_key

client = pytest.fixture(service)

# Claims.


def later(seconds: float) -> float:
    return time.time() + seconds


@pytest.mark.parametrize(
    "changed",
    [
        *({name: ...} for name in ("iss", "sub", "aud", "exp", "jti")),
        *({name: None} for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti")),
        *({name: ["x"]} for name in ("iss", "sub", "exp", "iat", "nbf", "jti")),
        *({name: {"x": 1}} for name in ("iss", "sub", "aud", "exp", "jti")),
        *({name: True} for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti")),
        *({name: 1} for name in ("iss", "sub", "aud", "jti")),
        *({name: "1"} for name in ("exp", "iat", "nbf")),
        *({"exp": partial(later, seconds)} for seconds in (-1, -3600)),
        *({"exp": value} for value in (0, -1, float("nan"), 10**400, -(10**400))),
        *({name: partial(later, 60)} for name in ("iat", "nbf")),
        *({name: value} for name in ("iat", "nbf") for value in (1e308, float("nan"), float("inf"), 10**400)),
        *(
            {"aud": value}
            for value in ("", "https://other.example", [], ["https://other.example"], [1], [None], [["x"]])
        ),
        {"iss": "other"},
        {"sub": "other"},
        {"sub": "a\0b"},
        {"sub": "\ud800"},
        {"jti": ""},
        {"jti": "x" * 256},
        {"jti": "\ud800"},
    ],
)
async def test_a_claim_that_is_missing_wrong_or_odd_refuses_it(
    world: World, client: Service, changed: dict[str, Any]
) -> None:
    """CA11. Trap 13."""
    given = {name: value() if callable(value) else value for name, value in changed.items()}

    assert refused(await asked(world, client.signed(client.claims(**given))))


@pytest.mark.parametrize("ahead", [320, 3600, 10**9, 1e308, float("inf")])
async def test_who_signs_for_too_long_is_told_the_maximum(world: World, client: Service, ahead: float) -> None:
    """CA11. Libraries sign for an hour unless told otherwise; nobody but the holder of the key learns more than before."""
    claims = client.claims(exp=time.time() + ahead)

    answer = await asked(world, client.signed(claims))
    forged = await asked(world, client.signed(claims)[:-8] + "AAAAAAAA")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "at most 300 seconds ahead" in answer.json()["error_description"]
    assert refused(forged)


@pytest.mark.parametrize("more", ["https://api.example", "{issuer}", "{issuer}/oauth2/token"])
async def test_it_is_addressed_to_nobody_else(world: World, client: Service, more: str) -> None:
    """CA11: who else is named could present it here."""
    issuer = world.settings.issuer

    assert refused(await asked(world, client.signed(client.claims(aud=[issuer, more.format(issuer=issuer)]))))


@pytest.mark.parametrize(
    "suffix", ["/", "/oauth2/token/", "/oauth2/token?x=1", "/oauth2/authorize", "#", ".evil.example"]
)
async def test_the_address_is_exact(world: World, client: Service, suffix: str) -> None:
    """CA11."""
    assert refused(await asked(world, client.signed(client.claims(aud=world.settings.issuer + suffix))))


# Signatures and headers.


async def test_only_a_key_of_the_client_counts(world: World, client: Service) -> None:
    """CA11."""
    other = await service(world)

    forged = client.raw(json.dumps(client.claims()).encode(), key=other.key.private)
    named = client.raw(json.dumps(client.claims()).encode(), key=other.key.private, kid=other.key.kid)

    assert refused(await asked(world, forged))
    assert refused(await asked(world, named))


async def test_no_algorithm_but_those_four_is_taken(world: World) -> None:
    """CA11: alg none, and HS256 under what everybody knows."""
    client = await service(world, "RS256")
    claims = encoded(json.dumps(client.claims()).encode())
    pem = client.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    for name in ("none", "None", "NONE", "nOnE", "", "HS256", "RS384", "RS512", "RS1", "ES512", "Ed25519", "dir", 5):
        for signature in ("", encoded(b"x"), encoded(pem)):
            assert refused(await asked(world, f"{encoded({'alg': name, 'kid': client.key.kid})}.{claims}.{signature}"))
    signing = f"{encoded({'alg': 'HS256', 'kid': client.key.kid})}.{claims}"
    for secret in (pem, json.dumps(client.key.public).encode(), b""):
        hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing.encode(), secret)
        assert refused(await asked(world, f"{signing}.{encoded(hmac)}"))
    for name in ("RS384", "RS512", "PS384", "PS512"):
        assert refused(await asked(world, client.raw(json.dumps(client.claims()).encode(), algorithm=name)))


async def test_one_key_does_not_sign_by_the_name_of_another_algorithm(world: World) -> None:
    client = await service(world, "RS256")

    mislabelled = client.raw(json.dumps(client.claims()).encode(), **{"alg": "PS256"})

    assert refused(await asked(world, mislabelled))
    assert refused(await asked(world, client.signed(alg="ES256")))


@pytest.mark.parametrize(("registered", "taken"), [("PS256", True), ("RS256", False), ("ES256", False)])
async def test_a_registered_algorithm_is_the_only_one(world: World, registered: str, taken: bool) -> None:
    client = await service(world, "PS256", token_endpoint_auth_signing_alg=registered)

    answer = await asked(world, client.signed())

    assert answer.status_code == 200 if taken else refused(answer)


@pytest.mark.parametrize("use", [{"use": "enc"}, {"alg": "RS256"}])
async def test_a_key_for_something_else_does_not_sign(world: World, use: dict[str, str]) -> None:
    key = new_key("PS256")
    client = await service(world, "PS256", jwks={"keys": [key.public | use]})
    client.key = key

    assert refused(await asked(world, client.signed()))


async def test_no_key_comes_with_the_assertion(world: World, client: Service) -> None:
    """CA11: jwk, jku, x5u, x5c; crit, and a payload that is not encoded (RFC 7797)."""
    own = new_key("ES256")
    async with place() as evil:
        evil.says(json.dumps(key_set(own)).encode())
        url = f"http://127.0.0.1:{evil.port}/"
        tricks: list[dict[str, Any]] = [
            {"jwk": own.public, "kid": own.kid},
            {"jku": url, "kid": own.kid},
            {"x5u": url},
            {"x5c": ["AAAA"]},
        ]
        for header in tricks:
            forged = client.raw(json.dumps(client.claims()).encode(), key=own.private, **header)
            assert refused(await asked(world, forged))
            assert refused(await asked(world, client.signed(**header)))
        assert evil.asked == []
    for header in ({"crit": ["exp"]}, {"crit": "x"}, {"crit": 5}, {"crit": []}, {"b64": False}, {"b64": True}):
        assert refused(await asked(world, client.signed(**header)))


@pytest.mark.parametrize(
    "kid", [5, None, [], {}, True, "", "x" * 1000, "../../etc/passwd", "' OR 1=1", "\ud800", "a\0b"]
)
async def test_an_odd_kid_names_no_key(world: World, client: Service, kid: Any) -> None:
    """CA11."""
    assert refused(await asked(world, client.signed(kid=kid)))


async def test_what_is_no_jwt_is_a_refused_client(world: World, client: Service) -> None:
    """CA11, trap 6: never a 500."""
    good = client.signed()
    head, claims, signature = good.split(".")
    odd = [
        *(
            "a",
            "a.b",
            "a.b.c",
            "..",
            "...",
            "a.b.c.d",
            "é.é.é",
            f"{head}.{claims}",
            f"{head}.{claims}.",
            f".{claims}.{signature}",
        ),
        *(
            f"{head}..{signature}",
            f"{good}.x",
            f"{head}.{claims}.é",
            f"{head}.{claims}.{signature}é",
            f" {good}x",
            good[:-4],
        ),
        *(
            f"{encoded(part)}.{claims}.{signature}"
            for part in (b"\xff\xfe", b"{", b"[]", b"null", b"5", b'"x"', b"[" * 9999)
        ),
        *(
            f"{head}.{encoded(part)}.{signature}"
            for part in (b"\xff", b"{", b"[]", b"null", b'{"exp": ' + b"9" * 5000 + b"}")
        ),
        encoded({"alg": "ES256", "kid": client.key.kid, "x": "y" * 600}) + f".{claims}.{signature}",
        "a" * 9000,
        f"{head}.{claims}.{'A' * 3000}",
    ]

    for text in odd:
        assert refused(await asked(world, text)), text


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"[]", b"null", b"", b"{}", b'"text"', b"5"])
async def test_what_is_signed_must_be_claims(world: World, client: Service, payload: bytes) -> None:
    assert refused(await asked(world, client.raw(payload)))
