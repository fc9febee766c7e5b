from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
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
    rsa_pem,
    signer,
    states,
)

from idp.domain.errors import Conflict, InvalidKeyFile, NotFound, Unavailable
from idp.domain.signing_keys import KeyState
from idp.gateways.key_files import KeyFiles
from idp.gateways.key_folder import KeyFolder

NOBODY = 65534


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def opened(folder: Path, clock: Clock, faults: list[str]) -> Callable[[], KeyFiles]:
    def opened() -> KeyFiles:
        keys = KeyFiles(folder, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock, on_fault=faults.append)
        keys.load()
        return keys

    return opened


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


# --- the first key


def test_the_first_start_makes_one_private_key_in_a_private_folder(opened, folder):
    keys = opened()

    (key,) = keys.list()
    assert (key.state, key.bits, key.algorithm) == (KeyState.ACTIVE, 2048, "RS256")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).name == f"{key.kid}.json"
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


def test_a_second_start_uses_the_key_that_is_there(opened):
    assert signer(opened()) == signer(opened())


def test_eight_processes_that_start_at_once_make_one_key(folder):
    script = OPEN_FOLDER + "print('ready', flush=True); sys.stdin.readline(); keys.load(); print(keys.list()[0].kid)"
    command = [sys.executable, "-c", script, str(folder)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    kids = {process.communicate()[0].strip() for process in processes}

    assert kids == {only_file(folder).stem}


@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.replace"])
def test_a_process_killed_while_it_writes_leaves_no_bad_key(moment, opened, folder):
    module, name = moment.split(".", 1)
    kill = f"import os, signal, {module}\n{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    killed = subprocess.run([sys.executable, "-c", OPEN_FOLDER + kill + "keys.load()", str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL, name
    assert len(list(folder.glob(".*.tmp"))) == 1

    keys = opened()

    assert only_file(folder).stem == signer(keys)
    assert not list(folder.glob(".*.tmp"))


def test_a_folder_that_cannot_be_made_is_refused_by_name(opened, folder):
    folder.write_text("a file")

    with pytest.raises(InvalidKeyFile, match=str(folder)):
        opened()


# --- what is signed and published


@pytest.mark.parametrize("bits", [2048, 3072])
def test_a_token_verifies_with_the_published_key(folder, clock, bits):
    keys = KeyFiles(folder, bits=bits, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock)
    keys.load()

    token = keys.sign(b'{"sub":"somebody"}')

    jwks = jwt.PyJWKSet.from_dict({"keys": keys.published()})
    header = jwt.get_unverified_header(token)
    assert jwt.decode(token, jwks[header["kid"]], algorithms=["RS256"]) == {"sub": "somebody"}
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": keys.list()[0].kid}


def test_each_typ_gets_its_own_header(opened):
    keys = opened()

    typs = [jwt.get_unverified_header(keys.sign(b"{}", typ=typ))["typ"] for typ in ("JWT", "at+jwt", "JWT")]

    assert typs == ["JWT", "at+jwt", "JWT"]


def test_only_public_members_are_published(opened):
    (jwk,) = opened().published()

    assert set(jwk) == {"kty", "use", "alg", "kid", "n", "e"}
    assert (jwk["kty"], jwk["use"], jwk["alg"]) == ("RSA", "sig", "RS256")


def test_the_kid_is_the_thumbprint_of_the_key(opened):
    (jwk,) = opened().published()

    canonical = f'{{"e":"{jwk["e"]}","kty":"RSA","n":"{jwk["n"]}"}}'.encode()
    assert jwk["kid"] == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")


def test_nothing_is_signed_before_keys_are_loaded(folder, clock):
    keys = KeyFiles(folder, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock)

    with pytest.raises(Unavailable):
        keys.sign(b"{}")


# --- rotation


def test_a_new_key_is_published_before_it_signs_and_an_old_one_until_its_last_token_has_expired(opened, clock):
    keys = opened()
    old = signer(keys)
    new = keys.rotate().kid

    timeline = []
    for span in (0 * SECOND, AHEAD - SECOND, SECOND, OVERLAP - SECOND, SECOND):
        clock.pass_(span)
        timeline.append((signer(keys), published(keys), states(keys)[old]))

    assert timeline == [
        (old, [old, new], KeyState.ACTIVE),
        (old, [old, new], KeyState.ACTIVE),
        (new, [new, old], KeyState.RETIRED),
        (new, [new, old], KeyState.RETIRED),
        (new, [new], KeyState.EXPIRED),
    ]


def test_the_end_of_publication_is_announced(opened, clock):
    keys = opened()
    (old,) = keys.list()
    new = keys.rotate()

    assert old.unpublished_at is None
    assert keys.list()[0].unpublished_at == new.activates_at + OVERLAP
    assert (new.state, new.activates_at, new.unpublished_at) == (KeyState.NEXT, clock.at + AHEAD, None)


def test_a_second_rotation_waits_for_the_first(opened, clock):
    keys = opened()
    waiting = keys.rotate().kid

    with pytest.raises(Conflict, match=waiting):
        keys.rotate()

    clock.pass_(AHEAD)
    assert keys.rotate().state is KeyState.NEXT


def test_rotation_deletes_keys_that_expired_more_than_a_day_ago(opened, clock, folder):
    keys = opened()
    first = signer(keys)
    keys.rotate()
    clock.pass_(AHEAD + OVERLAP + timedelta(days=1))
    keys.rotate()
    assert (folder / f"{first}.json").exists()

    clock.pass_(AHEAD)
    keys.rotate()

    assert not (folder / f"{first}.json").exists()
    assert first not in states(keys)


def test_other_processes_follow_a_rotation_by_the_clock_alone(opened, clock):
    rotating, following = opened(), opened()
    new = rotating.rotate().kid

    assert following.reload()
    assert published(following) == published(rotating)
    clock.pass_(AHEAD)
    assert signer(following) == signer(rotating) == new


def test_a_clock_that_is_set_back_takes_no_key_away(opened, clock):
    keys = opened()
    old = signer(keys)
    keys.rotate()
    clock.pass_(timedelta(days=1))
    assert old not in published(keys)

    clock.pass_(-timedelta(days=1))

    assert signer(keys) == old


# --- retirement


def test_retiring_the_active_key_lets_the_next_one_sign_at_once(opened):
    keys = opened()
    old, new = signer(keys), keys.rotate().kid

    retired = keys.retire(old)

    assert signer(keys) == new
    assert retired.state is KeyState.RETIRED
    assert published(keys) == [new, old]


def test_retiring_the_only_key_makes_one_that_signs_at_once(opened, clock):
    keys = opened()
    old = signer(keys)

    keys.retire(old)

    assert signer(keys) != old
    assert published(keys) == [signer(keys), old]
    clock.pass_(OVERLAP)
    assert published(keys) == [signer(keys)]


def test_retiring_the_next_key_leaves_the_active_one_signing(opened, clock):
    keys = opened()
    active, waiting = signer(keys), keys.rotate().kid

    retired = keys.retire(waiting)
    assert retired.unpublished_at == clock.at + OVERLAP
    clock.pass_(OVERLAP)

    assert states(keys) == {active: KeyState.ACTIVE, waiting: KeyState.EXPIRED}


def test_a_key_whose_successor_was_retired_is_published_until_its_own_last_token_has_expired(opened, clock):
    keys = opened()
    active = signer(keys)
    keys.retire(keys.rotate().kid)
    clock.pass_(timedelta(days=1))

    successor = keys.rotate()

    (ends,) = (key.unpublished_at for key in keys.list() if key.kid == active)
    assert ends == successor.activates_at + OVERLAP


def test_a_key_is_published_no_longer_because_it_is_retired_twice(opened, clock):
    keys = opened()
    old = signer(keys)
    first = keys.retire(old)
    clock.pass_(SECOND)

    assert keys.retire(old).unpublished_at == first.unpublished_at


def test_a_retired_key_never_signs_again(opened, clock):
    keys = opened()
    first, second = signer(keys), keys.rotate().kid
    clock.pass_(AHEAD)
    keys.retire(second)

    assert signer(keys) not in (first, second)


@pytest.mark.parametrize("rotated", [False, True])
def test_a_compromised_key_leaves_the_jwks_at_once(opened, clock, rotated):
    keys = opened()
    stolen = signer(keys)
    if rotated:
        keys.rotate()
        clock.pass_(AHEAD)

    withdrawn = keys.retire(stolen, compromised=True)

    assert withdrawn.state is KeyState.WITHDRAWN
    assert published(keys) == [signer(keys)]
    assert signer(keys) != stolen
    assert published(opened()) == published(keys)


def test_a_copy_of_a_withdrawn_key_that_returns_is_not_used(opened, folder, clock):
    pem = put(folder / "mine.pem", rsa_pem(), clock.at).read_bytes()
    keys = opened()
    stolen = signer(keys)
    keys.retire(stolen, compromised=True)
    clock.pass_(SECOND)

    put(folder / "again.pem", pem, clock.at)
    assert keys.reload()

    assert states(keys)[stolen] is KeyState.WITHDRAWN


def test_an_unknown_kid_cannot_be_retired(opened):
    with pytest.raises(NotFound):
        opened().retire("../../etc/passwd")


# --- files of an operator


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_pem_file_is_picked_up_without_a_restart_and_signs_from_its_time_on(opened, folder, clock, form):
    keys = opened()
    made = signer(keys)
    put(folder / "mine.pem", rsa_pem(form), clock.at + AHEAD)

    assert keys.reload()

    (mine,) = (kid for kid, state in states(keys).items() if state is KeyState.NEXT)
    assert signer(keys) == made
    clock.pass_(AHEAD)
    assert signer(keys) == mine


def test_a_key_whose_time_is_to_come_signs_early_when_no_other_may(opened, folder, clock):
    put(folder / "mine.pem", rsa_pem(), clock.at + AHEAD)

    keys = opened()

    assert [key.state for key in keys.list()] == [KeyState.ACTIVE]
    assert keys.sign(b"{}")


def test_a_jwk_of_another_server_is_used_under_its_thumbprint(opened, folder, clock):
    members = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048)))
    del members["key_ops"]
    put(folder / "mine.json", json.dumps(members | {"kid": "2024-01"}).encode(), clock.at)

    keys = opened()

    assert [jwk["n"] for jwk in keys.published()] == [members["n"]]
    assert signer(keys) != "2024-01"


def test_retiring_a_pem_file_turns_it_into_a_file_of_the_server(opened, folder, clock):
    put(folder / "mine.pem", rsa_pem(), clock.at)
    keys = opened()
    mine = signer(keys)

    keys.retire(mine)

    assert not (folder / "mine.pem").exists()
    assert states(opened())[mine] is KeyState.RETIRED


def test_a_process_killed_before_it_removes_the_pem_file_leaves_the_newer_state(opened, folder, clock):
    pem = put(folder / "mine.pem", rsa_pem(), clock.at).read_bytes()
    keys = opened()
    mine = signer(keys)
    keys.retire(mine)
    put(folder / "mine.pem", pem, clock.at + SECOND)

    assert states(opened())[mine] is KeyState.RETIRED


def test_a_mounted_secret_is_read_through_its_symbolic_link(opened, folder, clock):
    folder.mkdir(mode=0o700)
    put(folder / "..data" / "mine.pem", rsa_pem(), clock.at)
    (folder / "mine.pem").symlink_to("..data/mine.pem")

    keys = opened()

    assert len(published(keys)) == 1
    assert not list(folder.glob("*.json"))


def test_names_that_are_no_key_files_are_ignored(opened, folder):
    for name in ("README.md", ".hidden.pem", ".DS_Store.json", "server.crt", "notes"):
        put(folder / name, b"nothing", mode=0o644)

    assert len(opened().list()) == 1


# --- files that must not be used


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


@pytest.mark.parametrize(
    ("mode", "accepted"),
    [(0o640, True), (0o440, True), (0o660, False), (0o644, False)],
    ids=["0640", "0440", "0660", "0644"],
)
def test_a_file_of_root_may_be_read_by_the_group_of_the_server(mode, accepted):
    """As Kubernetes mounts a secret for a user that is not root."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another group")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "keys")
        path = put(folder / "mine.pem", rsa_pem(), mode=mode)
        os.chown(path, 0, NOBODY)
        for open_to_all in (Path(place), folder):
            open_to_all.chmod(0o755)

        assert as_nobody(lambda: len(KeyFolder(folder).read())) == (1 if accepted else None)


def as_nobody(work: Callable[[], int]) -> int | None:
    """What *work* gives in a process of another user; None when it raises."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            status = work()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if status == 255 else status


def test_keys_behind_a_link_that_is_moved_are_all_taken_at_once(folder, tmp_path, clock):
    """As Kubernetes changes a mounted secret: new files in a new folder, then the link `..data` names that one."""
    folder.mkdir()
    link = folder / "..data"
    for name in ("..1", "..2"):
        put(folder / name / "mine.pem", rsa_pem(), clock.at)
    link.symlink_to("..1")
    keys = KeyFiles(link, publish_ahead=MAX_AGE, token_lifetime=TOKEN_LIFETIME, now=clock)
    keys.load()
    (first,) = published(keys)

    (tmp_path / "new").symlink_to("..2")
    (tmp_path / "new").replace(link)

    assert keys.reload()
    (second,) = published(keys)
    assert first != second


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


# --- changes while the server runs


def test_a_bad_file_is_reported_once_and_the_old_keys_stay(opened, folder, faults):
    keys = opened()
    before = signer(keys)
    bad = put(folder / "bad.pem", b"half a ke")

    assert not keys.reload()
    assert not keys.reload()

    assert (signer(keys), published(keys)) == (before, [before])
    assert len(faults) == 1
    assert str(bad) in faults[0]


def test_a_bad_file_that_returns_is_reported_again(opened, folder, faults):
    keys = opened()
    for _ in range(2):
        bad = put(folder / "bad.pem", b"half a key")
        keys.reload()
        bad.unlink()
        keys.reload()

    assert len(faults) == 2


def test_a_bad_file_that_is_mended_is_used(opened, folder, clock):
    keys = opened()
    clock.pass_(SECOND)
    path = put(folder / "mine.pem", rsa_pem(), clock.at, mode=0o640)
    assert not keys.reload()

    path.chmod(0o600)

    assert keys.reload()
    assert len(keys.list()) == 2


def test_an_emptied_folder_takes_no_key_out_of_use(opened, folder, faults):
    keys = opened()
    before = signer(keys)
    only_file(folder).unlink()

    assert not keys.reload()

    assert signer(keys) == before
    assert "no key" in faults[0]


def test_a_folder_that_vanishes_and_returns_takes_no_key_out_of_use(opened, folder, faults):
    keys = opened()
    before = signer(keys)
    for _ in range(2):
        folder.rename(folder.with_name("away"))
        keys.reload()
        keys.reload()
        folder.with_name("away").rename(folder)
        keys.reload()

    assert signer(keys) == before
    assert len(faults) == 2


def test_a_reload_without_changes_says_so(opened):
    keys = opened()

    assert not keys.reload()


def test_the_version_grows_only_when_the_jwks_changes(opened, folder, clock):
    keys = opened()
    versions = [keys.version]
    put(folder / "notes.txt", b"")
    keys.reload()
    clock.pass_(SECOND)
    keys.sign(b"{}")
    only_file(folder).touch()
    keys.reload()
    versions.append(keys.version)
    for step in (keys.rotate, lambda: clock.pass_(AHEAD), lambda: clock.pass_(OVERLAP)):
        step()
        versions.append(keys.version)
        versions.append(keys.version)

    first = versions[0]
    assert versions == [first, first, *(first + n for n in (1, 1, 2, 2, 3, 3))]


async def test_watching_takes_new_files_into_use(opened, folder, clock):
    keys = opened()
    clock.pass_(SECOND)
    watching = asyncio.create_task(keys.watch(every=0.01))
    put(folder / "mine.pem", rsa_pem(), clock.at)

    async with asyncio.timeout(60):
        while len(keys.published()) < 2:
            await asyncio.sleep(0.01)

    watching.cancel()
