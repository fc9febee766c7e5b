"""Files of keys of each algorithm: what is read, what is refused, and what a missing one means."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from key_folders import Clock, pem, put, signer

from idp.domain.errors import InvalidKeyFile, Unavailable
from idp.domain.operation.signing_keys import ALGORITHMS
from idp.gateways.key_files import KeyFiles


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_the_same_after_it_was_written_and_read(
    keys: KeyFiles, opened: Callable[[], KeyFiles], algorithm: str
) -> None:
    assert opened().published() == keys.published()
    assert opened().list() == keys.list()
    assert signer(opened(), algorithm) == signer(keys, algorithm)


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RS256"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
    ],
)
def test_a_pem_file_says_by_its_type_what_it_signs(
    opened: Callable[[], KeyFiles], folder: Path, clock: Clock, private: Callable[[], Any], algorithm: str
) -> None:
    put(folder / "mine.pem", pem(private()), clock.at)

    keys = opened()

    assert {key.algorithm for key in keys.list()} == {"RS256", algorithm}
    assert keys.provide([algorithm]) == ()
    assert keys.sign(b"{}", algorithm=algorithm)


def test_an_elliptic_key_in_its_traditional_form_is_read(
    opened: Callable[[], KeyFiles], folder: Path, clock: Clock
) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    put(
        folder / "m.pem",
        private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        clock.at,
    )

    assert signer(opened(), "ES256")


def members(private: Any, **changes: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256", ed25519.Ed25519PrivateKey: "EdDSA"}
    algorithm = next(name for kind, name in kinds.items() if isinstance(private, kind))
    jwk: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(private, as_dict=True)
    jwk.pop("key_ops", None)
    return jwk | changes


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "PS256"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
    ],
)
def test_a_jwk_of_another_server_is_used(
    opened: Callable[[], KeyFiles],
    folder: Path,
    clock: Clock,
    private: Callable[[], Any],
    algorithm: str,
    named: bool,
) -> None:
    """An RSA key that names no algorithm is for RS256."""
    jwk = members(private(), **({"alg": algorithm} if named else {}))
    put(folder / "mine.json", json.dumps(jwk).encode(), clock.at)

    numbers = {jwk.get("n"), jwk.get("x")}
    (used,) = (key for key in opened().published() if {key.get("n"), key.get("x")} == numbers)

    assert used["alg"] == ("RS256" if jwk["kty"] == "RSA" and not named else algorithm)


def test_one_rsa_key_for_two_algorithms_is_refused(opened: Callable[[], KeyFiles], folder: Path, clock: Clock) -> None:
    """Its JWK has one `alg`: the other would be a lie."""
    private = rsa.generate_private_key(65537, 2048)
    for algorithm in ("RS256", "PS256"):
        put(folder / f"{algorithm}.json", json.dumps(members(private, alg=algorithm)).encode(), clock.at)

    with pytest.raises(InvalidKeyFile, match="the same key"):
        opened()


P256, ED25519 = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        (members(P256, alg="ES384"), "is not an RSA key for RS256 or PS256, nor"),
        (members(P256, alg="EdDSA"), "nor one on P-256"),
        (members(P256, alg=["ES256"]), "nor one on P-256"),
        (members(P256, use="enc"), "nor one on P-256"),
        (members(P256, crv="P-384"), "nor one on P-256"),
        (members(P256, kty="OKP"), "nor one on P-256"),
        (members(ec.generate_private_key(ec.SECP256K1()), crv="secp256k1"), "nor one on P-256"),
        (members(ED25519, crv="Ed448"), "nor one on P-256"),
        (members(P256, x=members(ec.generate_private_key(ec.SECP256R1()))["x"]), "no complete EC private key"),
        (members(P256, d="AA"), "no complete EC private key"),
        (members(P256, d="_" * 43), "no complete EC private key"),
        (members(P256, d="_" * 40_000), "no complete EC private key"),
        (members(P256, d=None), "no complete EC private key"),
        (members(P256, d=1), "no complete EC private key"),
        (members(P256, y="é"), "no complete EC private key"),
        ({name: value for name, value in members(P256).items() if name != "y"}, "no complete EC private key"),
        ({name: value for name, value in members(P256).items() if name != "d"}, "no complete EC private key"),
        (members(ED25519, x="AAAA"), "no complete OKP private key"),
        (members(ED25519, d="AAAA"), "no complete OKP private key"),
        (members(ED25519, d=""), "no complete OKP private key"),
    ],
)
def test_a_damaged_file_is_refused_by_name_and_shows_nothing(
    opened: Callable[[], KeyFiles], folder: Path, jwk: dict[str, Any], why: str
) -> None:
    path = put(folder / "a.json", json.dumps(jwk).encode())

    with pytest.raises(InvalidKeyFile, match=why) as refused:
        opened()

    assert str(refused.value).startswith(f"{path}: ")
    assert not isinstance(jwk.get("d"), str) or len(jwk["d"]) < 40 or jwk["d"] not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_folder_without_a_key_for_access_tokens_takes_none_out_of_use(keys: KeyFiles, folder: Path) -> None:
    before = {each: signer(keys, each) for each in ALGORITHMS}
    (folder / f"{before['RS256']}.json").unlink()

    assert not keys.reload()

    assert {each: signer(keys, each) for each in ALGORITHMS} == before


def test_a_key_for_id_tokens_whose_file_is_gone_signs_no_more_and_can_be_made_again(
    keys: KeyFiles, folder: Path
) -> None:
    gone = signer(keys, "ES256")
    (folder / f"{gone}.json").unlink()

    assert keys.reload()

    with pytest.raises(Unavailable):
        keys.sign(b"{}", algorithm="ES256")
    assert keys.provide(["ES256"])[0].kid == signer(keys, "ES256") != gone
