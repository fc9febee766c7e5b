"""Keys of more than one algorithm in one folder: what they sign, what is published, and who makes them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import KeySet
from key_folders import MAX_AGE, OPEN_FOLDER, TOKEN_LIFETIME, Clock, pem, published, put, signer, states

from idp.domain.errors import InvalidKeyFile, Unavailable
from idp.domain.operation.signing_keys import ALGORITHM, ALGORITHMS, KeyState
from idp.gateways.key_files import KeyFiles

OTHERS = [algorithm for algorithm in ALGORITHMS if algorithm != ALGORITHM]
# RFC 7638, section 3.2; RFC 8037, section 2.
THUMBPRINT = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


def jwk_of(keys: KeyFiles, algorithm: str) -> dict[str, str]:
    (jwk,) = (jwk for jwk in keys.published() if jwk["alg"] == algorithm)
    return jwk


# --- what is signed and published


# RFC 9864 has a newer name for it; OpenID Connect's libraries know this one.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_other_libraries_verify_what_a_published_key_signed(keys: KeyFiles, algorithm: str) -> None:
    token = keys.sign(b'{"sub":"somebody"}', typ="JWT", algorithm=algorithm)

    jwks: Any = {"keys": keys.published()}
    header = jwt.get_unverified_header(token)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": jwk_of(keys, algorithm)["kid"]}
    assert jwt.decode(token, jwt.PyJWKSet.from_dict(jwks)[header["kid"]], algorithms=[algorithm]) == {"sub": "somebody"}
    verified = jws.deserialize_compact(token, KeySet.import_key_set(jwks), algorithms=[algorithm])
    assert verified.payload == b'{"sub":"somebody"}'


def test_signatures_of_es256_always_have_64_bytes(keys: KeyFiles) -> None:
    """RFC 7518, section 3.4: r and s keep their leading zeros, which one signature in 128 has."""
    signatures = {len(keys.sign(b"{}", algorithm="ES256").rsplit(".", 1)[1]) for _ in range(600)}

    assert signatures == {86}


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [("RS256", {"n", "e"}), ("PS256", {"n", "e"}), ("ES256", {"crv", "x", "y"}), ("EdDSA", {"crv", "x"})],
)
def test_only_public_members_are_published(keys: KeyFiles, algorithm: str, members: set[str]) -> None:
    """JW14."""
    jwk = jwk_of(keys, algorithm)

    assert jwk.keys() == {"kty", "use", "alg", "kid"} | members
    assert jwk["use"] == "sig"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_kid_is_the_thumbprint_of_the_key(keys: KeyFiles, algorithm: str) -> None:
    jwk = jwk_of(keys, algorithm)

    canonical = json.dumps({name: jwk[name] for name in THUMBPRINT[jwk["kty"]]}, separators=(",", ":")).encode()
    assert jwk["kid"] == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")


def test_coordinates_keep_their_leading_zeros(folder: Path, opened: Callable[[], KeyFiles], clock: Clock) -> None:
    """RFC 7518, section 6.2.1.2: one key in 128 has such a coordinate."""
    numbers = (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 5000))
    short = next(private for private in numbers if private.public_key().public_numbers().x < 2**248)
    put(folder / "short.pem", pem(short), clock.at)

    jwk = jwk_of(opened(), "ES256")

    assert len(base64.urlsafe_b64decode(jwk["x"] + "=")) == 32
    assert jwk["x"].startswith("A")


# --- on demand


@pytest.mark.parametrize("algorithm", [*OTHERS, "HS256", "none"])
def test_an_algorithm_without_a_key_is_unavailable(opened: Callable[[], KeyFiles], algorithm: str) -> None:
    keys = opened()

    with pytest.raises(Unavailable):
        keys.sign(b"{}", algorithm=algorithm)
    assert len(keys.published()) == 1


@pytest.mark.parametrize("algorithm", OTHERS)
def test_a_key_that_is_asked_for_signs_at_once(opened: Callable[[], KeyFiles], algorithm: str) -> None:
    keys = opened()
    before = keys.version

    (made,) = keys.provide([algorithm])

    assert (made.algorithm, made.state) == (algorithm, KeyState.ACTIVE)
    assert signer(keys, algorithm) == made.kid
    assert published(keys, algorithm) == [made.kid]
    assert keys.version == before + 1


def test_asking_again_makes_no_other(keys: KeyFiles, opened: Callable[[], KeyFiles]) -> None:
    before = states(keys)

    assert keys.provide(ALGORITHMS) == ()
    assert opened().provide(ALGORITHMS) == ()
    assert states(opened()) == before


def test_a_process_that_has_not_looked_yet_finds_the_key_of_another(opened: Callable[[], KeyFiles]) -> None:
    asking, behind = opened(), opened()
    (made,) = asking.provide(["ES256"])

    assert behind.provide(["ES256"]) == ()
    assert signer(behind, "ES256") == made.kid


def test_other_processes_have_it_when_they_look(opened: Callable[[], KeyFiles]) -> None:
    asking, following = opened(), opened()
    asking.provide(["EdDSA"])

    assert following.reload()
    assert signer(following, "EdDSA") == signer(asking, "EdDSA")


def test_names_that_are_no_algorithm_of_ours_are_passed_over(opened: Callable[[], KeyFiles]) -> None:
    keys = opened()

    assert keys.provide(["HS256", "none", "", "RS256"]) == ()
    assert len(keys.list()) == 1


def test_four_processes_that_ask_at_once_make_one_key(folder: Path, opened: Callable[[], KeyFiles]) -> None:
    """JW20."""
    opened()
    script = OPEN_FOLDER + (
        "keys.load(); print('ready', flush=True); sys.stdin.readline()\n"
        "made = keys.provide(['ES256', 'EdDSA', 'PS256'])\n"
        "print(len(made), *sorted(key.kid for key in keys.list()))\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split(maxsplit=1) for process in processes]

    assert sorted(made for made, _ in answers) == ["0", "0", "0", "3"]
    assert len({kids for _, kids in answers}) == 1
    assert len(list(folder.glob("*.json"))) == 4


def test_who_may_make_no_key_names_the_one_that_is_missing_and_leaves_the_folder_alone(
    folder: Path, clock: Clock, opened: Callable[[], KeyFiles]
) -> None:
    """Nodes with copies of a folder: each would make its own, which the others do not know."""

    def bound() -> KeyFiles:
        return KeyFiles(folder, provision=False, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock)

    with pytest.raises(InvalidKeyFile, match="idp keys rotate --algorithm RS256"):
        bound().load()
    made = opened()
    keys = bound()
    keys.load()
    for forbidden in (keys.rotate_all, lambda: keys.provide(["ES256"])):
        with pytest.raises(InvalidKeyFile, match="IDP_KEYS_PROVISION=false"):
            forbidden()

    assert states(keys) == states(made) == {signer(made): KeyState.ACTIVE}
    assert len(list(folder.glob("*.json"))) == 1
    made.provide(["ES256"])
    keys.reload()
    assert keys.provide(["ES256"]) == ()
    assert signer(keys, "ES256") == signer(made, "ES256")
