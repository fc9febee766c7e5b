"""Key files that an operator puts into the folder, and who may read them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from key_folders import AHEAD, MAX_AGE, SECOND, TOKEN_LIFETIME, published, put, rsa_pem, signer, states

from idp.domain.operation.signing_keys import KeyState
from idp.gateways.key_files import KeyFiles
from idp.gateways.key_folder import KeyFolder

NOBODY = 65534


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
