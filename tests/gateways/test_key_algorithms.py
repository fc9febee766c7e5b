"""Keys of more than one algorithm in one folder: each algorithm has keys, and turns, of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import KeySet
from key_folders import (
    AHEAD,
    MAX_AGE,
    OPEN_FOLDER,
    OVERLAP,
    SECOND,
    TOKEN_LIFETIME,
    Clock,
    published,
    put,
    signer,
    states,
)

from idp.domain.errors import Conflict, InvalidKeyFile, Unavailable
from idp.domain.signing_keys import ALGORITHM, ALGORITHMS, KeyState
from idp.gateways.key_files import KeyFiles

OTHERS = [algorithm for algorithm in ALGORITHMS if algorithm != ALGORITHM]
# RFC 7638, section 3.2; RFC 8037, section 2.
THUMBPRINT = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def opened(folder: Path, clock: Clock) -> Callable[[], KeyFiles]:
    def opened() -> KeyFiles:
        keys = KeyFiles(folder, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock)
        keys.load()
        return keys

    return opened


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


@pytest.fixture
def keys(opened: Callable[[], KeyFiles]) -> KeyFiles:
    """With a key of each algorithm."""
    keys = opened()
    keys.provide(ALGORITHMS)
    return keys


def jwk_of(keys: KeyFiles, algorithm: str) -> dict[str, str]:
    (jwk,) = (jwk for jwk in keys.published() if jwk["alg"] == algorithm)
    return jwk


def pem(private: Any) -> bytes:
    content: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content


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


# --- turns of each algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rotating_one_algorithm_leaves_the_others_alone(keys: KeyFiles, clock: Clock, algorithm: str) -> None:
    before = {each: signer(keys, each) for each in ALGORITHMS}
    new = keys.rotate(algorithm).kid

    clock.pass_(AHEAD - SECOND)
    assert {each: signer(keys, each) for each in ALGORITHMS} == before
    clock.pass_(SECOND)
    assert {each: signer(keys, each) for each in ALGORITHMS} == before | {algorithm: new}
    assert published(keys, algorithm) == [new, before[algorithm]]
    clock.pass_(OVERLAP)
    assert {each: published(keys, each) for each in ALGORITHMS} == {
        each: [kid] for each, kid in (before | {algorithm: new}).items()
    }


def test_rotating_all_makes_the_next_key_of_each(keys: KeyFiles, clock: Clock) -> None:
    made = keys.rotate_all()

    assert [key.algorithm for key in made] == list(ALGORITHMS)
    assert {key.state for key in made} == {KeyState.NEXT}
    clock.pass_(AHEAD)
    assert [signer(keys, algorithm) for algorithm in ALGORITHMS] == [key.kid for key in made]


def test_rotating_all_makes_no_key_of_an_algorithm_that_nobody_uses(opened: Callable[[], KeyFiles]) -> None:
    keys = opened()
    keys.provide(["EdDSA"])

    assert [key.algorithm for key in keys.rotate_all()] == ["RS256", "EdDSA"]


def test_rotating_all_makes_none_while_one_waits(keys: KeyFiles) -> None:
    waiting = keys.rotate("ES256").kid
    before = states(keys)

    with pytest.raises(Conflict, match=waiting):
        keys.rotate_all()

    assert states(keys) == before
    assert keys.rotate("PS256").state is KeyState.NEXT


def test_rotating_an_algorithm_without_a_key_makes_the_first(opened: Callable[[], KeyFiles]) -> None:
    keys = opened()

    assert keys.rotate("ES256").state is KeyState.ACTIVE
    assert signer(keys, "ES256")


@pytest.mark.parametrize("compromised", [False, True])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_successor_of_a_retired_key_has_its_algorithm(keys: KeyFiles, algorithm: str, compromised: bool) -> None:
    before = {each: signer(keys, each) for each in ALGORITHMS}

    keys.retire(before[algorithm], compromised=compromised)

    after = {each: signer(keys, each) for each in ALGORITHMS}
    assert after[algorithm] != before[algorithm]
    assert after | {algorithm: ""} == before | {algorithm: ""}
    assert (before[algorithm] in published(keys, algorithm)) is not compromised


def test_only_a_waiting_key_of_the_same_algorithm_signs_early(keys: KeyFiles) -> None:
    waiting = {algorithm: keys.rotate(algorithm).kid for algorithm in ("RS256", "ES256")}

    keys.retire(signer(keys, "EdDSA"))

    assert set(waiting.values()) <= {kid for kid, state in states(keys).items() if state is KeyState.NEXT}


def test_keys_of_every_algorithm_are_deleted_a_day_after_they_expired(
    keys: KeyFiles, clock: Clock, folder: Path
) -> None:
    first = {signer(keys, algorithm) for algorithm in ALGORITHMS}
    keys.rotate_all()
    clock.pass_(AHEAD + OVERLAP + timedelta(days=1, seconds=1))

    keys.rotate()

    assert not first & {path.stem for path in folder.glob("*.json")}


def test_a_version_grows_when_a_key_of_any_algorithm_comes_or_goes(keys: KeyFiles, clock: Clock) -> None:
    version = keys.version
    keys.rotate("EdDSA")
    assert keys.version == version + 1
    clock.pass_(AHEAD)
    assert keys.version == version + 2
    clock.pass_(OVERLAP)
    assert keys.version == version + 3


# --- files


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
