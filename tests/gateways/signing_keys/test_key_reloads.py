"""Changes in the folder while the server runs."""

from __future__ import annotations

import asyncio

from key_folders import AHEAD, OVERLAP, SECOND, only_file, published, put, rsa_pem, signer


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
