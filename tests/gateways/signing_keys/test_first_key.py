"""The first key of a folder, and what is signed with it and published."""

from __future__ import annotations

import base64
import hashlib
import signal
import subprocess
import sys

import jwt
import pytest
from key_folders import MAX_AGE, OPEN_FOLDER, TOKEN_LIFETIME, only_file, signer

from idp.domain.errors import InvalidKeyFile, Unavailable
from idp.domain.operation.signing_keys import KeyState
from idp.gateways.key_files import KeyFiles

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
