"""A lock does not keep owners out on devices where they have signed in before (group LK)."""

from __future__ import annotations

from datetime import timedelta

from caller import Caller, blocked, wait
from world import PASSWORD


async def test_a_device_that_has_signed_in_before_is_not_locked_out_by_others(caller: Caller) -> None:
    """LK8: by cookie or by header."""
    email = await caller.world.registered()
    before = await caller.login(email, PASSWORD)
    token = before.headers["device-token"]
    await caller.locks(email)
    caller.moves()

    by_header = await caller.login(email, PASSWORD, **{"Device-Token": token})
    by_cookie = await caller.login(email, PASSWORD, Cookie=f"other=1; idp-device={token}")

    assert await blocked(caller, email) > 60
    assert [by_header.status_code, by_cookie.status_code] == [200, 200]


async def test_the_device_of_a_password_grant_is_known_too(caller: Caller) -> None:
    email, client = await caller.world.registered(), await caller.world.client()
    before = await caller.grant(client, email, PASSWORD)
    await caller.locks(email)
    known = {"Device-Token": before.headers["device-token"]}

    assert "set-cookie" not in before.headers
    assert (await caller.login(email, PASSWORD, anywhere=True, **known)).status_code == 200


async def test_failures_on_a_known_device_lock_that_device_only(caller: Caller) -> None:
    email = await caller.world.registered()
    token = (await caller.login(email, PASSWORD)).headers["device-token"]
    for _ in range(5):
        assert (await caller.login(email, anywhere=True, **{"Device-Token": token})).status_code == 401
        await caller.time_passes(email, timedelta(seconds=8))

    wait(await caller.login(email, PASSWORD, anywhere=True, **{"Device-Token": token}))
    assert await caller.succeeds(email)


async def test_a_device_keeps_its_token(caller: Caller) -> None:
    email = await caller.world.registered()
    first = await caller.login(email, PASSWORD)
    again = await caller.login(email, PASSWORD, **{"Device-Token": first.headers["device-token"]})

    assert again.headers["device-token"] == first.headers["device-token"]
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"idp-device={first.headers['device-token']}; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"} <= set(cookie.split("; "))


async def test_a_token_that_is_not_of_this_user_is_ignored(caller: Caller) -> None:
    """Forged, of another user, or no token at all."""
    email, other = await caller.world.registered(), await caller.world.registered()
    foreign = (await caller.login(other, PASSWORD)).headers["device-token"]
    own = (await caller.login(email, PASSWORD)).headers["device-token"]
    await caller.locks(email)
    forged = ("A" if own[-1] != "A" else "B").join((own[:-1], ""))

    for token in (foreign, forged, "", "x" * 9000, own + "=", own.lower(), "\xff" * 76):
        wait(await caller.login(email, PASSWORD, anywhere=True, **{"Device-Token": token.encode("latin-1")}))  # type: ignore[arg-type]


async def test_a_refused_sign_in_gives_no_device(caller: Caller) -> None:
    answer = await caller.login(await caller.world.registered())

    assert "device-token" not in answer.headers
    assert "set-cookie" not in answer.headers
