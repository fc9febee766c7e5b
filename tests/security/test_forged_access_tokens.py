"""Signatures and headers of bearer tokens that must not open anything (RFC 8725; catalogue group K)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forger import Forger, Headers, encoded, forger_of, refused
from world import Tokens, World


@pytest.fixture(scope="module")
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


@pytest.fixture(scope="module")
async def forger(world: World, tokens: Tokens) -> Forger:
    return await forger_of(world, tokens)


async def test_the_genuine_token_opens_the_profile(world: World, tokens: Tokens, forger: Forger) -> None:
    """And so does one that these tests sign with the server's key: what they refuse, they refuse for its content."""
    assert (await world.profile(tokens.access_token)).status_code == 200
    assert (await world.profile(forger.signed())).status_code == 200


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", None, 0, ["RS256"], "rs256"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
async def test_no_algorithm_is_no_signature(world: World, forger: Forger, alg: Any, signature: str) -> None:
    """JW1; Authlib CVE-2022-39174."""
    assert await refused(world, f"{encoded(forger.header | {'alg': alg})}.{encoded(forger.claims)}.{signature}")


@pytest.mark.parametrize("form", ["pem", "pkcs1", "der", "modulus", "jwk", "empty"])
async def test_the_public_key_is_no_hmac_secret(world: World, forger: Forger, form: str) -> None:
    """JW1; Authlib CVE-2024-37568, CVE-2026-114616, python-jose CVE-2024-33663, PyJWT CVE-2022-29217."""
    key = forger.public.key
    number = key.public_numbers().n
    secrets: dict[str, Callable[[], bytes]] = {
        "pem": lambda: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "pkcs1": lambda: key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "der": lambda: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "modulus": lambda: number.to_bytes(256),
        "jwk": lambda: json.dumps(jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)).encode(),
        "empty": lambda: b"",
    }

    assert await refused(world, forger.under_hmac(secrets[form]()))


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "PS512"])
async def test_the_right_key_under_another_algorithm_is_refused(world: World, forger: Forger, alg: str) -> None:
    """JW1, JW21."""
    assert await refused(world, forger.signed(alg=alg))


async def test_an_algorithm_in_the_header_that_did_not_sign_is_refused(world: World, forger: Forger) -> None:
    """JW21, JW1."""
    assert await refused(world, forger.signed(header=forger.header | {"alg": "RS256"}, alg="PS256"))
    assert await refused(world, forger.signed(header=forger.header | {"alg": "ES256"}))
    assert await refused(world, forger.signed(alg="ES256", key=ec.generate_private_key(ec.SECP256R1())))


async def test_a_foreign_key_is_refused(world: World, forger: Forger) -> None:
    """JW1."""
    assert await refused(world, forger.signed(key=forger.foreign_key))


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
async def test_a_key_in_the_header_is_not_used_nor_fetched(world: World, forger: Forger, name: str) -> None:
    """JW2; Authlib CVE-2026-27962. Nobody connects to where the header points."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(forger.foreign_key.public_key(), as_dict=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        value = {"jwk": public, "jku": url, "x5u": url, "x5c": ["MIIB"]}[name]
        for kid in (forger.header["kid"], "other", None):
            assert await refused(
                world, forger.signed(forger.header | {name: value, "kid": kid}, key=forger.foreign_key)
            )
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "kid",
    [
        "unknown",
        "../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "",
        "k" * 400,
        1,
        0,
        True,
        ["a"],
        {"a": 1},
        1e300,
        "\ud800",
        "\0",
    ],
)
async def test_a_key_id_only_chooses_among_the_published(world: World, forger: Forger, kid: Any) -> None:
    """JW3; PyJWT CVE-2026-102274: neither path, query, nor type is an error of the server."""
    assert await refused(world, forger.signed(forger.header | {"kid": kid}, key=forger.foreign_key))
    assert await refused(world, forger.signed(forger.header | {"kid": kid}))


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
    ],
)
async def test_an_extension_that_must_be_understood_is_refused(world: World, forger: Forger, more: Headers) -> None:
    """JW4; Authlib CVE-2025-59420, PyJWT CVE-2026-32597."""
    assert await refused(world, forger.signed(forger.header | more))


@pytest.mark.parametrize("signatures", ["one", "none", "empty", "flattened"])
async def test_json_serialization_is_no_bearer_token(world: World, forger: Forger, signatures: str) -> None:
    """JW5; Authlib CVE-2026-96760, joserfc CVE-2026-102946."""
    head, payload, signature = forger.genuine.split(".")
    one = {"protected": head, "signature": signature}
    forms: dict[str, Any] = {
        "one": {"payload": payload, "signatures": [one]},
        "none": {"payload": payload, "signatures": []},
        "empty": {"payload": payload},
        "flattened": {"payload": payload, **one},
    }

    assert await refused(world, json.dumps(forms[signatures], separators=(",", ":")))


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "dpop+jwt", "at+jwt ", "", None, 1, ["at+jwt"]])
async def test_only_an_access_token_is_an_access_token(world: World, forger: Forger, typ: Any) -> None:
    """JW9."""
    assert await refused(world, forger.signed(forger.header | {"typ": typ}))


@pytest.mark.parametrize(
    "header",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"alg":"RS256"' + b" " * 9000 + b"}", b"[" * 9000, b'"x"', b"{}"],
)
async def test_a_header_is_an_object(world: World, forger: Forger, header: bytes) -> None:
    rest = forger.genuine.split(".", 1)[1]

    assert await refused(world, f"{encoded(header)}.{rest}")


async def test_a_signature_has_one_spelling(world: World, forger: Forger) -> None:
    """JW12."""
    head, payload, signature = forger.genuine.split(".")
    flipped = signature[:-1] + ("A" if signature[-1] != "A" else "B")
    spellings = [flipped, signature + "=", signature + "==", signature + "A", signature[:-1], signature[:100], ""]

    for spelling in spellings:
        assert await refused(world, f"{head}.{payload}.{spelling}"), spelling
    for token in (
        forger.genuine + ".",
        "." + forger.genuine,
        f"{head}.{payload}",
        f"{head}..{signature}",
        f"{head}. {payload}.x",
    ):
        assert await refused(world, token)
