"""Key files that must not be used."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from key_folders import only_file, put, rsa_pem

from idp.domain.errors import InvalidKeyFile


def jwk_file(**changes: object) -> Callable[[], bytes]:
    def content() -> bytes:
        members = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048)))
        return json.dumps(members | changes).encode()

    return content


def encrypted_pem() -> bytes:
    private = rsa.generate_private_key(65537, 2048)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def unknown_pem() -> bytes:
    # PKCS#8 with an algorithm that nobody has defined: 1.2.3.4.5.
    content = bytes.fromhex("300f020100300606042a03040504020500")
    return b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(content) + b"\n-----END PRIVATE KEY-----\n"


def elliptic_pem() -> bytes:
    private = ec.generate_private_key(ec.SECP384R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pem", lambda: b"", "no private key"),
        ("a.pem", lambda: rsa_pem()[:900], "no private key"),
        ("a.pem", lambda: rsa_pem(bits=1024), "1024 bits are too short"),
        ("a.pem", encrypted_pem, "is encrypted"),
        ("a.pem", unknown_pem, "no private key"),
        ("a.pem", elliptic_pem, "is not an RSA key"),
        ("a.json", lambda: b"", "is not JSON"),
        ("a.json", lambda: jwk_file()()[:900], "is not JSON"),
        ("a.json", lambda: b"[" * 60_000, "is not JSON"),
        ("a.json", lambda: b"[]", "is not a JWK"),
        ("a.json", lambda: b'{"kty":"oct","k":"c2VjcmV0"}', "is not an RSA key"),
        ("a.json", jwk_file(alg="RS384"), "is not an RSA key for RS256"),
        ("a.json", jwk_file(use="enc"), "is not an RSA key for RS256"),
        ("a.json", jwk_file(d="AQAB"), "no complete RSA private key"),
        ("a.json", jwk_file(d=None), "no complete RSA private key"),
        ("a.json", jwk_file(p="é"), "no complete RSA private key"),
        ("a.json", jwk_file(n=""), "no complete RSA private key"),
        ("a.json", jwk_file(idp=None), '"idp"'),
        ("a.json", jwk_file(idp={"created_at": "2030-01-01T00:00:00Z"}), '"idp"'),
        ("a.json", jwk_file(idp={"created_at": "2030-01-01", "activates_at": "2030-01-01"}), '"idp"'),
        ("a.json", jwk_file(idp=dict.fromkeys(("created_at", "activates_at"), "9999-12-31T23:59:59-23:00")), '"idp"'),
        ("a.pem", lambda: b"x" * 70_000, "too large"),
    ],
)
def test_a_damaged_file_is_refused_by_name(opened, folder, name, content, why):
    path = put(folder / name, content())

    with pytest.raises(InvalidKeyFile, match=why) as refused:
        opened()

    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_refused_with_the_remedy(opened, folder, mode):
    path = put(folder / "mine.pem", rsa_pem(), mode=mode)

    with pytest.raises(InvalidKeyFile, match=f"chmod 600 {path}"):
        opened()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_another_user_put_there_is_refused(opened, folder):
    path = put(folder / "planted.pem", rsa_pem())
    os.chown(path, 12_345, -1)

    with pytest.raises(InvalidKeyFile, match="belongs to another user"):
        opened()


def make_directory(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [make_directory, make_pipe, make_loop, make_dangling])
def test_what_is_no_regular_file_is_refused_by_name(opened, folder, make):
    folder.mkdir(mode=0o700)
    make(folder / "odd.pem")

    with pytest.raises(InvalidKeyFile, match=r"odd\.pem"):
        opened()


@pytest.mark.parametrize("name", ["copy.pem", "copy.json"])
def test_one_key_in_two_files_is_refused(opened, folder, name):
    if name == "copy.json":
        opened()
        content = only_file(folder).read_bytes()
    else:
        content = rsa_pem()
        put(folder / "first.pem", content)
    put(folder / name, content)

    with pytest.raises(InvalidKeyFile, match="the same key"):
        opened()


def test_no_refusal_shows_what_is_in_the_file(opened, folder):
    content = jwk_file(p="AQAB")()
    put(folder / "mine.json", content)

    with pytest.raises(InvalidKeyFile) as refused:
        opened()

    assert json.loads(content)["d"] not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
