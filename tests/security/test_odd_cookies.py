"""What a cookie says counts only letter by letter (SE11, SE16)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hosted import Browser, Party
from world import World

from idp.controllers.http.exchange import Exchange
from idp.controllers.pages.visits import Visits
from idp.domain.operation.issuers import Issuer
from idp.domain.sign_in.browser_sessions import digest_of, new_token

SESSION = "idp-session"


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        yield browser


ODD = [
    "",
    "=",
    "x" * 8192,
    "%00",
    "\x7f",
    "é",
    "null",
    "../../etc/passwd",
    "' OR 1=1 --",
    '"quoted"',
    "a" * 43,
    "a;b=c",
]


@pytest.mark.parametrize("value", ODD)
async def test_an_odd_cookie_is_nobodys(world: World, value: str) -> None:
    """SE11."""
    for name in (SESSION, "idp-browser", "idp-device", "__Host-idp-session"):
        answer = await world.http.get("/account", headers={b"Cookie": f"{name}={value}".encode("latin-1")})
        assert answer.status_code in (303, 400, 431)


async def test_no_other_spelling_of_a_cookie_is_one(world: World, browser: Browser) -> None:
    """SE11; Werkzeug CVE-2023-23934."""
    token = browser.cookie(SESSION) or ""
    stranger = new_token()
    flipped = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(0, 43, 7)]
    cookies = [
        *(f"{SESSION}={it}" for it in [*flipped, token[:-1], f"{token}A", f"{token}=", token.swapcase(), digest_of(token)]),
        f"={SESSION}={token}", f"Idp-Session={token}", f"__Host-{SESSION}={token}", f"{SESSION} x={token}",
        f"{SESSION}={token}; {SESSION}={stranger}", f"{SESSION}={stranger}; {SESSION}={token}",
    ]  # fmt: skip

    for cookie in cookies:
        answer = await world.http.get("/account", headers={"Cookie": cookie})
        assert answer.headers.get("location") == "/login", cookie
    many = "; ".join(f"c{n}=v" for n in range(100))
    among = await world.http.get("/account", headers={"Cookie": f"{many}; {SESSION}={token}"})
    assert among.status_code == 200


@pytest.mark.parametrize(
    ("issuer", "prefix"), [("https://id.example", "__Host-"), ("https://a.example/id", "__Secure-")]
)
@pytest.mark.parametrize("name", ["idp-browser", SESSION, "idp-device"])
async def test_over_https_a_cookie_without_the_prefix_is_none(
    world: World, name: str, issuer: str, prefix: str
) -> None:
    """SE20: any other host of the domain could have set it, also beside the one with the prefix."""
    hosted = world.services.hosted
    visits = Visits(hosted_login=hosted.login, form_tokens=hosted.form_tokens, issuer=Issuer.of(issuer))
    read = {
        "idp-browser": visits.browser_cookie.read,
        SESSION: visits.session_cookie.read,
        "idp-device": visits.devices.presented,
    }[name]

    for cookies, expected in [
        (f"{name}=planted", None),
        (f"{name}=planted; {prefix}{name}=own", "own"),
        (f"{prefix}{name}=own; {name}=planted", "own"),
        (f"{prefix.lower()}{name}=planted; {prefix}{name}=own", "own"),
    ]:
        headers = {b"cookie": [cookies.encode()]}
        assert read(Exchange(request_id="", address="", method="GET", path="/", headers=headers)) == expected


async def test_no_token_is_a_cookie(world: World) -> None:
    """SE16; Keycloak CVE-2019-3868."""
    party = await Party.registered(world)
    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered())
        browser_cookie = browser.cookie("idp-browser")

    for token in (tokens["access_token"], tokens["id_token"], tokens["refresh_token"], browser_cookie):
        answer = await world.http.get("/account", headers={"Cookie": f"{SESSION}={token}"})
        assert answer.headers["location"] == "/login"
