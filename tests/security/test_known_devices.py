"""A lock does not keep owners out on devices where they have signed in before (group LK)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
from caller import WRONG, Caller, blocked, wait
from hosted import Browser, form_of
from world import PASSWORD, World

from idp.app import create_app
from idp.domain.sign_in.lockout import Counter
from idp.gateways import secret_keys
from idp.repositories.sign_in.sign_in_failures import name_of

OTHER = "Battery-Staple-8"


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


async def test_a_planted_cookie_does_not_hide_the_device(world: World) -> None:
    """LK8: at every door; another host of the domain sets `idp-device` for all of them, but never `__Host-idp-device`."""
    issuer, client = "https://id.example", await world.client()
    app: Any = create_app(world.services, replace(world.settings, issuer=issuer))
    email = await world.registered()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=issuer) as http:
        known = await http.post("/auth/login", json={"email": email, "password": PASSWORD})
        own = known.headers["device-token"]
        planted = (await http.post("/auth/login", json={"email": email, "password": PASSWORD})).headers["device-token"]
        await locked(world, email)
        http.cookies.clear()
        form = form_of(await http.get("/login")).fields | {"email": email, "password": PASSWORD}
        browser = f"__Host-idp-browser={http.cookies['__Host-idp-browser']}"
        http.cookies.clear()
        fields = {"grant_type": "password", "username": email, "password": PASSWORD}
        for cookie, status in [
            (f"idp-device={planted}", 429),
            (f"idp-device=x; __Host-idp-device={own}", 200),
            (f"__Host-idp-device={own}; idp-device={planted}", 200),
        ]:
            headers = {"Cookie": f"{cookie}; {browser}"}
            by_rest = await http.post("/auth/login", json={"email": email, "password": PASSWORD}, headers=headers)
            by_page = await http.post("/login", data=form, headers=headers)
            by_grant = await http.post("/oauth2/token", data=fields, auth=client.auth, headers=headers)

            assert [by_rest.status_code, by_grant.status_code] == [status, status]
            assert by_page.status_code == (303 if status == 200 else status)


async def test_a_reset_voids_the_devices_of_before(world: World) -> None:
    """LK19: whoever has signed in four times before would have twenty guesses at the new password at once."""
    email = await world.registered()
    tokens = [await device_of(world, email, PASSWORD) for _ in range(4)]
    await world.post("/auth/forgot-password", email=email)
    link = await world.mail(email, "Reset your password")
    assert (await world.post("/auth/reset-password", token=link.token, newPassword=OTHER)).status_code == 204
    await locked(world, email)

    assert {await status_with(world, email, OTHER, token) for token in tokens} == {429}


async def test_the_device_that_changes_the_password_stays_known_and_no_other(world: World) -> None:
    """LK19."""
    tokens = await world.signed_in()
    own, stolen = [await device_of(world, tokens.email, PASSWORD) for _ in range(2)]
    body = {"currentPassword": PASSWORD, "newPassword": OTHER}

    changed = await world.call("POST", "/auth/change-password", tokens, json=body, headers={"Device-Token": own})
    await locked(world, tokens.email)

    renewed = changed.headers["device-token"]
    assert changed.headers["set-cookie"].startswith(f"idp-device={renewed}; ")
    assert [await status_with(world, tokens.email, OTHER, it) for it in (stolen, own, renewed)] == [429, 429, 200]


async def test_the_browser_that_changes_the_password_stays_known(world: World) -> None:
    """LK19."""
    email = await world.registered()
    async with Browser(world) as browser:
        await browser.signed_in(email)
        before = browser.cookie("idp-device")
        page = await browser.get("/account/password")
        await browser.submit(page, current_password=PASSWORD, new_password=OTHER)
        after = browser.cookie("idp-device")
    await locked(world, email)

    assert [await status_with(world, email, OTHER, token) for token in (before, after)] == [429, 200]


async def device_of(world: World, email: str, password: str) -> str:
    return (await world.post("/auth/login", email=email, password=password)).headers["device-token"]


async def status_with(world: World, email: str, password: str, token: str | None) -> int:
    headers = {"Device-Token": token or ""}
    return (await world.post("/auth/login", headers=headers, email=email, password=password)).status_code


async def locked(world: World, email: str) -> None:
    """As if the last of its failures had just been."""
    await world.post("/auth/login", email=email, password=WRONG)
    key = name_of(Counter(email), secret_keys.derived(world.settings.secrets, secret_keys.IDENTIFIERS)[0])
    change = "UPDATE sign_in_failures SET blocked_until = now() + interval '15 minutes' WHERE key = $1"
    assert await world.database.execute(change, key) == "UPDATE 1"


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
