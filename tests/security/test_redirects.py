"""A redirect URI is one that is registered, character by character (group RU)."""

from __future__ import annotations

import html
from collections.abc import Iterator
from random import Random
from urllib.parse import urlsplit

import httpx
import pytest
from hosted import Browser, Party, answer_of
from world import World

from idp.domain.clients.clients import Client
from idp.domain.clients.redirect_uris import redirect_uri_matches

REGISTERED = "https://app.example/callback"
MUTATIONS = [
    "https://app.example/callback/", "https://app.example/Callback", "https://APP.example/callback", "HTTPS://app.example/callback",
    "http://app.example/callback", "https://app.example:443/callback", "https://app.example:/callback", "https://app.example:8443/callback",
    "https://app.example./callback", "https://app.example/%63allback", "https://app.example/callback%2e", "https://app.example/./callback",
    "https://app.example/x/../callback", "https://app.example/callback/../x", "https://app.example/callback/..;/x",
    "https://app.example//callback", "https://app.example/callback?", "https://app.example/callback?x=1",
    "https://app.example/callback#", "https://app.example/callback#f", "https://app.example/callback;x", "https://app.example/callback.evil",
    "https://evil@app.example/callback", "https://app.example@evil.example/callback", "https://app.example:x@evil.example/callback",
    "https://evil.example/callback", "https://app.example.evil.example/callback", "https://evilapp.example/callback",
    "https://sub.app.example/callback", "https://app.example\\@evil.example/callback", "https:\\\\app.example\\callback",
    "https:/app.example/callback", "https:app.example/callback", "//app.example/callback", "/callback", "callback",
    "https://app.example/callback\t", "\thttps://app.example/callback", " https://app.example/callback",
    "https://app.example/callback ", "https://app.example/callback\r\nLocation: https://evil.example", "https://app。example/callback",
    "https://аpp.example/callback", "https://app.example／callback", "https://app.example/callback%00", "https://app.example%2fcallback",
    "https://app.example/callback*", "https://*.example/callback", "https://app.example/*", "https://app\\.example/callback",
    "https://appXexample/callback", "https://app.example/callback|https://evil.example", "https://evil.example?https://app.example/callback",
    "https://evil.example#https://app.example/callback", "https://app.example/callback https://evil.example",
    "https://[::1]/callback", "https://[app.example/callback", "https://app.example:99999/callback", "https://app.example:port/callback",
    "javascript:alert(1)", "data:text/html,x", "javascript://app.example/callback%0aalert(1)", "file:///callback", "null", "https://",
    "https://app.example/" + "a" * 5000,
]  # fmt: skip


async def asked(world: World, party: Party, redirect_uri: str, **changes: str) -> httpx.Response:
    return await world.http.get(
        "/oauth2/authorize", params=party.request(redirect_uri=redirect_uri, **{"prompt": "none"} | changes)
    )


def is_page_of_ours(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 400
        and "location" not in answer.headers
        and "refresh" not in answer.headers
        and answer.headers["content-type"] == "text/html; charset=utf-8"
        and 'id="error"' in answer.text
    )


async def test_of_all_that_looks_like_a_registered_uri_nothing_is_one(world: World) -> None:
    """RU1, RU7; Keycloak CVE-2026-3872, CVE-2023-6291, fosite CVE-2020-15233, authentik CVE-2024-52289, oauthlib CVE-2022-36087."""
    party = await Party.registered(world, redirect_uris=(REGISTERED,))

    wrong = [uri for uri in MUTATIONS if not is_page_of_ours(await asked(world, party, uri))]

    assert len(set(MUTATIONS)) > 50
    assert wrong == []
    assert answer_of(await asked(world, party, REGISTERED))["error"] == "login_required"


async def test_a_code_is_redeemed_with_the_uri_that_it_was_asked_for(world: World) -> None:
    """RU2, TE7: one that differs, or none, and the code is over."""
    party = await Party.registered(world, redirect_uris=(REGISTERED, "https://app.example/other"))

    async with Browser(world) as browser:
        email = await world.registered()
        for presented in ("https://app.example/other", f"{REGISTERED}/", None, REGISTERED.upper()):
            code = (await browser.authorized(party, email))["code"]
            first, second = await party.redeem(code, redirect_uri=presented), await party.redeem(code)
            assert [it.json()["error"] for it in (first, second)] == ["invalid_grant"] * 2


@pytest.mark.parametrize("uris", [(REGISTERED, "https://app.example/other"), (REGISTERED,)])
async def test_a_uri_is_left_out_only_where_there_is_one_and_no_openid(world: World, uris: tuple[str, ...]) -> None:
    """RU2: RFC 6749, section 3.1.2.3; OpenID Connect Core, section 3.1.2.1."""
    party = await Party.registered(world, redirect_uris=uris)
    request = party.request(redirect_uri=None, prompt="none")

    openid = await world.http.get("/oauth2/authorize", params=request)
    plain = await world.http.get("/oauth2/authorize", params=request | {"scope": "profile"})

    if len(uris) == 1:
        assert answer_of(openid)["error"] == "invalid_request"
        assert answer_of(plain)["error"] == "login_required"
    else:
        assert is_page_of_ours(openid)
        assert is_page_of_ours(plain)


@pytest.mark.parametrize(
    ("uri", "taken"),
    [
        ("http://127.0.0.1:9999/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:1/cb", True),
        ("http://127.0.0.1:9999/cb?x=1", False),
        ("http://127.0.0.1:9999/cb/", False),
        ("http://127.0.0.1:9999/CB", False),
        ("http://127.0.0.1:0/cb", False),
        ("http://127.0.0.1:x/cb", False),
        ("http://127.0.0.1:123456/cb", False),
        ("http://127.0.0.1:80@evil.example/cb", False),
        ("http://127.0.0.1.evil.example:80/cb", False),
        ("http://127.0.0.2:80/cb", False),
        ("http://127.1:80/cb", False),
        ("http://2130706433/cb", False),
        ("http://[::ffff:127.0.0.1]/cb", False),
        ("http://[0:0:0:0:0:0:0:1]:80/cb", False),
        ("http://localhost:9999/cb", False),
        ("https://127.0.0.1:9999/cb", False),
        ("http://user@127.0.0.1:80/cb", False),
        ("http://127.0.0.1:80/cb#f", False),
        ("http://127.0.0.1:80\\cb", False),
        ("http://127.0.0.1:80/cb\n", False),
        ("HTTP://127.0.0.1:80/cb", False),
    ],
)
async def test_only_the_port_of_a_loopback_address_is_free(world: World, uri: str, taken: bool) -> None:
    """RU3: RFC 8252, section 7.3; fosite CVE-2020-15233, Authlib PYSEC-2026-4354."""
    uris = ("http://127.0.0.1/cb", "http://[::1]:8000/cb", "http://localhost:8000/cb")
    native = await Party.registered(world, redirect_uris=uris, application_type="native")
    web = await Party.registered(world, redirect_uris=uris)

    answer = await asked(world, native, uri)

    assert answer.headers.get("location", "").startswith(f"{uri}?error=") if taken else is_page_of_ours(answer)
    assert uri in uris or is_page_of_ours(await asked(world, web, uri))


NASTY = [
    "javascript:alert(document.domain)//\"'><script>alert(1)</script>",
    'https://app.example/"><img src=x onerror=alert(1)>',
    "https://app.example/'onload='alert(1)",
]


@pytest.mark.parametrize("uri", NASTY)
async def test_a_stored_uri_is_shown_as_text(world: World, uri: str) -> None:
    """RU5, HD6: also one that no rule would register; Zitadel CVE-2026-29192, Keycloak CVE-2020-10776."""
    party = await Party.registered(world, redirect_uris=(uri,), first_party=False)

    async with Browser(world) as browser:
        posted = await browser.authorize(party, response_mode="form_post", prompt="none")
        page = await browser.sign_in(await browser.authorize(party), await world.registered())
        wrong = await browser.authorize(party, redirect_uri=f"{uri}x")

    for answer in (posted, page, wrong):
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "'onload=" not in answer.text
        assert "javascript" not in answer.headers["content-security-policy"]
        assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert f'action="{html.escape(uri).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"' in posted.text


async def test_what_the_registered_query_holds_stays(world: World) -> None:
    """RU6."""
    uri = "https://app.example/cb?tenant=a%20b&x"
    party = await Party.registered(world, redirect_uris=(uri,))

    answer = await asked(world, party, uri)
    fragment = await asked(world, party, uri, response_mode="fragment")

    assert answer.headers["location"].startswith(f"{uri}&error=")
    assert fragment.headers["location"].startswith(f"{uri}#error=")


async def test_a_pattern_is_taken_literally(world: World) -> None:
    """RU7: also one that was stored before there were rules; Keycloak CVE-2026-7504."""
    party = await Party.registered(world, redirect_uris=("https://app.example/*", "https://.*/cb", "*"))

    for uri in ("https://app.example/x", "https://evil.example/cb", "https://app.example/", "https://evil.example"):
        assert is_page_of_ours(await asked(world, party, uri))


ALPHABET = [
    *"aA0/:?#@[]%.\\;*&=+ \t\n\0é。",
    "//",
    "..",
    "%2e",
    "%2F",
    "https",
    "http",
    "evil.example",
    "app.example",
    "callback",
]


def mutations(random: Random, count: int) -> Iterator[str]:
    for _ in range(count):
        letters = list(REGISTERED)
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(letters) + 1)
            letters[place : place + random.randint(0, 4)] = random.choices(ALPHABET, k=random.randint(0, 2))
        yield "".join(letters)


def test_of_a_hundred_thousand_others_none_matches() -> None:
    """RU9: whatever is not the registered one itself, for web and native clients."""
    clients = [
        Client(client_id="c", name="C", redirect_uris=(REGISTERED, "http://127.0.0.1/cb"), application_type=kind)
        for kind in ("web", "native")
    ]
    random = Random(7)

    taken = {
        uri
        for uri in mutations(random, 50_000)
        for client in clients
        if uri not in client.redirect_uris and redirect_uri_matches(client, uri)
    }

    assert taken == set()


async def test_no_made_up_uri_is_redirected_to(world: World) -> None:
    """RU9."""
    party = await Party.registered(world, redirect_uris=(REGISTERED,))

    for uri in {it for it in mutations(Random(8), 300) if it not in ("", REGISTERED)}:
        answer = await asked(world, party, uri)
        assert answer.status_code == 400, uri
        assert urlsplit(answer.headers.get("location", "")).netloc == "", uri
