"""The account pages: what a user sees and changes there, without any script."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
from hosted import Browser, Party
from world import PASSWORD, World

NEW_PASSWORD = "Another-Horse-8"


@pytest.fixture
async def email(world: World) -> str:
    return await world.registered()


@pytest.fixture
async def browser(world: World, email: str) -> AsyncIterator[Browser]:
    async with Browser(world) as browser:
        await browser.signed_in(email)
        yield browser


PLACES = ["", "/profile", "/password", "/email", "/sessions", "/applications", "/history", "/delete"]


@pytest.mark.parametrize("place", PLACES)
async def test_every_page_is_there_for_who_is_signed_in_and_leads_others_to_the_sign_in(
    world: World, browser: Browser, email: str, place: str
) -> None:
    mine = await browser.get(f"/account{place}")
    async with Browser(world) as stranger:
        theirs = await stranger.get(f"/account{place}")

    assert mine.status_code == 200
    assert email in mine.text
    assert (theirs.status_code, theirs.headers["location"]) == (303, "/login")


async def test_the_profile_is_saved_and_shown(world: World, browser: Browser, email: str) -> None:
    page = await browser.get("/account/profile")

    saved = await browser.submit(
        page, name="Ada Lovelace", given_name="Ada", locality="London", zoneinfo="Europe/London", nickname=""
    )

    assert "Your profile was saved." in saved.text
    assert 'value="Ada Lovelace"' in saved.text
    assert 'value="London"' in saved.text
    user = (await world.profile((await world.signed_in(email=email)).access_token)).json()["user"]
    assert (user["name"], user["givenName"], user["address"]["locality"]) == ("Ada Lovelace", "Ada", "London")


async def test_a_field_that_is_emptied_is_removed(browser: Browser) -> None:
    await browser.submit(await browser.get("/account/profile"), name="Ada", given_name="Ada", country="England")

    saved = await browser.submit(await browser.get("/account/profile"), given_name="", country="")

    assert 'value="England"' not in saved.text
    assert 'name="given_name" type="text" value=""' in saved.text


async def test_a_wrong_field_is_named_and_what_was_typed_stays(browser: Browser) -> None:
    page = await browser.submit(
        await browser.get("/account/profile"), name="A", birthdate="yesterday", nickname="Countess"
    )

    assert page.status_code == 400
    assert 'id="error"' in page.text
    assert 'href="#name"' in page.text
    assert 'href="#birthdate"' in page.text
    assert 'value="Countess"' in page.text


async def test_changing_the_password_ends_everything_but_this_browser(
    world: World, browser: Browser, email: str
) -> None:
    """PW13."""
    elsewhere = await world.signed_in(email=email)
    async with Browser(world) as other:
        await other.signed_in(email)
        page = await browser.get("/account/password")

        done = await browser.submit(page, current_password=PASSWORD, new_password=NEW_PASSWORD)

        assert "Your password was changed." in done.text
        assert (await other.get("/account")).headers["location"] == "/login"
    assert (await world.refresh(elsewhere)).status_code == 400
    assert (await browser.get("/account")).status_code == 200
    async with Browser(world) as again:
        await again.signed_in(email, NEW_PASSWORD)


@pytest.mark.parametrize(
    ("current", "new", "named"), [("wrong", NEW_PASSWORD, "current_password"), (PASSWORD, "short", "new_password")]
)
async def test_a_wrong_current_or_a_weak_new_password_changes_nothing(
    world: World, browser: Browser, email: str, current: str, new: str, named: str
) -> None:
    """PW12."""
    page = await browser.submit(await browser.get("/account/password"), current_password=current, new_password=new)

    assert page.status_code in (400, 401)
    assert f'href="#{named}"' in page.text
    async with Browser(world) as again:
        await again.signed_in(email)


async def test_another_address_is_confirmed_by_a_mail_to_it(world: World, browser: Browser, email: str) -> None:
    """RG21."""
    new = world.new_email()

    asked = await browser.submit(await browser.get("/account/email"), email=new, current_password=PASSWORD)
    mail = await world.mail(new, "Confirm")
    confirming = await browser.get(mail.link)
    confirmed = await browser.submit(confirming, "confirm")

    assert "We have sent a mail to the new address." in asked.text
    assert "Your e-mail address is changed" in confirmed.text
    assert new in (await browser.get("/account")).text


async def test_sessions_elsewhere_are_listed_and_ended(world: World, browser: Browser, email: str) -> None:
    """SE15."""
    party = await Party.registered(world)
    async with Browser(world, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}) as other:
        tokens = await party.tokens(other, email)
        page = await browser.get("/account/sessions")
        assert "Firefox" in page.text

        (their_id,) = ids(page.text, "browser")
        done = await browser.http.post("/account/sessions", data={**fields(page.text), "browser": their_id})

        assert done.headers["location"] == "/account/sessions?notice=session_ended"
        assert (await other.get("/account")).headers["location"] == "/login"
    assert (await party.refresh(tokens["refresh_token"])).status_code == 400
    assert (await world.profile(tokens["access_token"])).status_code == 401


async def test_all_others_are_ended_at_once(world: World, browser: Browser, email: str) -> None:
    rest = await world.signed_in(email=email)
    async with Browser(world) as other:
        await other.signed_in(email)

        done = await browser.submit(await browser.get("/account/sessions"), "end-others")

        assert "All your other sessions were ended." in done.text
        assert (await other.get("/account")).headers["location"] == "/login"
    assert (await world.refresh(rest)).status_code == 400
    assert (await browser.get("/account")).status_code == 200


async def test_somebody_elses_session_is_not_ended(world: World, browser: Browser) -> None:
    """AD3."""
    victim = await world.registered()
    tokens = await world.signed_in(email=victim)
    async with Browser(world) as theirs:
        await theirs.signed_in(victim)
        row = await world.database.fetchrow(
            "SELECT b.id FROM browser_sessions b JOIN users u ON u.id = b.user_id WHERE u.email = $1", victim
        )
        page = await browser.get("/account/sessions")
        session = (await world.session(tokens))["id"]

        for name, value in (("browser", row["id"]), ("session", session), ("browser", "x"), ("session", "")):
            await browser.http.post("/account/sessions", data={**fields(page.text), name: str(value)})

        assert (await theirs.get("/account")).status_code == 200
    assert (await world.refresh(tokens)).status_code == 200


async def test_withdrawing_consent_ends_the_applications_sessions(world: World, browser: Browser, email: str) -> None:
    """RF13."""
    party = await Party.registered(world, first_party=False)
    tokens = await party.tokens(browser, email)
    page = await browser.get("/account/applications")
    assert "Test" in page.text

    done = await browser.http.post(
        "/account/applications", data={**fields(page.text), "client_id": party.client.client_id}
    )

    assert done.headers["location"] == "/account/applications?notice=access_withdrawn"
    assert (await party.refresh(tokens["refresh_token"])).status_code == 400
    assert 'id="allow"' in (await browser.authorize(party)).text


async def test_the_history_tells_of_sign_ins_and_failures(world: World, browser: Browser, email: str) -> None:
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Canary/7 Firefox/140.0"}
    await world.post("/auth/login", email=email, password="Wrong-Horse-7", headers=agent)

    page = await browser.get("/account/history")

    assert "Signed in" in page.text
    assert "Sign-in failed" in page.text
    assert "Firefox on Linux" in page.text


async def test_of_a_device_the_trail_keeps_words_of_ours_and_nothing_that_it_says(world: World, email: str) -> None:
    agent = {"User-Agent": "Canary-agent/7 (Windows NT 10.0; build 4711) Edg/140.0"}

    for password in ("Wrong-Horse-7", PASSWORD):
        await world.post("/auth/login", email=email, password=password, headers=agent)
    rows = await world.database.fetch(
        "SELECT name, detail FROM audit.events WHERE user_id = (SELECT id FROM users WHERE email_norm = $1)", email
    )

    devices = {row["name"]: json.loads(row["detail"]).get("device") for row in rows}
    assert devices["sign_in_failed"] == devices["signed_in"] == "Edge on Windows"
    assert "anary" not in str(rows)


async def test_deleting_the_account_needs_the_password_and_ends_all(world: World, browser: Browser, email: str) -> None:
    refused = await browser.submit(await browser.get("/account/delete"), current_password="wrong", confirm="true")
    unconfirmed = await browser.submit(await browser.get("/account/delete"), current_password=PASSWORD)
    done = await browser.submit(await browser.get("/account/delete"), current_password=PASSWORD, confirm="true")

    assert 'href="#current_password"' in refused.text
    assert 'href="#confirm"' in unconfirmed.text
    assert "Your account is deleted" in done.text
    assert (await browser.get("/account")).headers["location"] == "/login"
    assert (await world.post("/auth/login", email=email, password=PASSWORD)).status_code == 401


def fields(page: str) -> dict[str, str]:
    found = re.search(r'name="csrf_token" value="([^"]*)"', page)
    assert found
    return {"csrf_token": found[1]}


def ids(page: str, kind: str) -> list[str]:
    return re.findall(rf'name="{kind}" value="([^"]*)"', page)
