"""What the hosted pages show, load and let through: markup, policy, referrer, caches (HD2 to HD8, HD11, RG13, RG14, PW11, UI8)."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hosted import Browser, Party, form_of
from world import PASSWORD, World

MARK = "zqx"  # by which the payloads are found again
PAYLOADS = [
    f'"><script>{MARK}()</script>', f"'><img src=x onerror={MARK}()>", f'" autofocus onfocus={MARK}() x="',
    f"</title><svg/onload={MARK}()>", f"--><iframe srcdoc={MARK}></iframe>", f"javascript:{MARK}()", f"{{{{7*7}}}}{MARK}${{7*7}}",
    f"&lt;script&gt;{MARK}()&lt;/script&gt;", f"</textarea></style></script><script>{MARK}()</script>",
    f'<a href="data:text/html,{MARK}">', f"<base href=//{MARK}>", f"\u2028<{MARK}>", f"＜script＞{MARK}", f"%3Cscript%3E{MARK}",
    f"<meta http-equiv=refresh content=0;url=//{MARK}>", f"<form action=//{MARK}><input name=password>",
]  # fmt: skip
TAGS = {
    "html", "head", "meta", "title", "link", "body", "header", "main", "footer", "nav", "form", "input", "button", "div", "p",
    "h1", "h2", "h3", "ul", "li", "a", "img", "span", "strong", "code", "label", "dl", "dt", "dd", "table", "thead", "tbody",
    "tr", "th", "td", "script", "fieldset", "legend", "time",
}  # fmt: skip
OWN, NOTHING = ("style-src", "script-src", "img-src", "form-action"), ("default-src", "base-uri", "frame-ancestors")
ADDRESSES = ("href", "src", "action", "formaction", "srcdoc", "poster", "data", "content")


class Page(HTMLParser):
    """What a browser would make of a page. *faults*: what a payload could have made."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.inputs: list[dict[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in TAGS or (tag == "meta" and "http-equiv" in given):
            self.faults.append(tag)
        self.faults += [f"{tag} {name}" for name in given if name.startswith("on") or name in ("style", "srcdoc")]
        for name in ADDRESSES:
            if re.match(r"[\s\x00-\x20]*(javascript|data|vbscript):", given.get(name) or "", re.IGNORECASE):
                self.faults.append(f"{tag} {name}={given[name]}")
            if tag != "a" and MARK in (given.get(name) or "") and name != "content":
                self.faults.append(f"{tag} {name}={given[name]}")
        if tag == "input":
            self.inputs.append(given)
        if tag == "script":
            self.scripts.append(given.get("src") or "inline")

    def handle_data(self, data: str) -> None:
        if f"49{MARK}" in data:
            self.faults.append("template")


def is_inert(answer: httpx.Response) -> bool:
    """No payload has become markup, and none could run."""
    assert answer.status_code < 500
    assert MARK not in answer.headers["content-security-policy"]
    if answer.headers["content-type"] != "text/html; charset=utf-8":
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        return True
    page = Page(answer.text)
    assert page.faults == []
    assert all(src.startswith("/assets/") for src in page.scripts)
    return policy_of(answer)["script-src"] == "'self'"


def policy_of(answer: httpx.Response) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))


ANONYMOUS = [
    "/",
    "/login",
    "/register",
    "/forgot-password",
    "/reset-password",
    "/verify-email",
    "/continue",
    "/consent",
    "/select-account",
]
ACCOUNT = [
    f"/account{place}"
    for place in ("", "/profile", "/password", "/email", "/sessions", "/applications", "/history", "/delete")
]
PARAMETERS = [
    "request",
    "token",
    "email",
    "notice",
    "another",
    "error",
    "cursor",
    "ui_locales",
    "lang",
    "client_id",
    "login_hint",
    "next",
]


@pytest.mark.parametrize("path", [*ANONYMOUS, *ACCOUNT, "/oauth2/authorize", "/nowhere"])
async def test_what_an_address_says_stays_text(world: World, path: str) -> None:
    """HD6; Ory Hydra CVE-2019-8400, authentik CVE-2026-42849, Authelia CVE-2026-33525."""
    email = await world.registered()
    async with Browser(world, Accept="text/html", **{"Accept-Language": f"<script>{MARK}()</script>"}) as browser:
        if path in ACCOUNT:
            await browser.signed_in(email)
        for payload in PAYLOADS:
            answers = [await browser.get(path, params=dict.fromkeys(PARAMETERS, payload))]
            answers.append(await browser.get(path, params={payload: payload, "token": payload}))
            answers.append(await browser.get(f"{path.rstrip('/')}/{quote(payload, safe='')}"))
            assert all(is_inert(answer) for answer in answers if "location" not in answer.headers), payload
            assert all(MARK not in answer.headers.get("location", "").partition("?")[0] for answer in answers)


FIELDS: dict[str, tuple[str, ...]] = {
    "/login": ("email", "remember"),
    "/register": ("name", "email"),
    "/forgot-password": ("email",),
    "/reset-password": ("token",),
    "/verify-email": ("token",),
    "/account/profile": (
        "name",
        "given_name",
        "website",
        "picture",
        "birthdate",
        "locality",
        "zoneinfo",
        "preferred_username",
    ),
    "/account/email": ("email",),
    "/account/delete": ("confirm", "current_password"),
    "/account/sessions": ("browser", "session", "others"),
    "/account/applications": ("client_id",),
}


@pytest.mark.parametrize("path", FIELDS)
async def test_what_a_form_says_comes_back_as_text(world: World, path: str) -> None:
    """HD6, UI8; Zitadel CVE-2026-29191."""
    email = await world.registered()
    async with Browser(world) as browser:
        if path in ACCOUNT:
            await browser.signed_in(email)
        page = await browser.get("/account/password" if path in ACCOUNT else path, params={"token": "x"})
        fields = form_of(page).fields | {"password": PASSWORD, "current_password": PASSWORD}
        for payload in PAYLOADS:
            answer = await browser.http.post(path, data=fields | dict.fromkeys(FIELDS[path], payload))
            assert "location" in answer.headers or is_inert(answer)
        assert is_inert(await browser.get(path, params={"token": "x"}))


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_names_in_the_stores_are_shown_as_text(world: World, payload: str) -> None:
    """HD6, UI8, AZ15: of users, devices and clients, stored before there were rules; Zitadel CVE-2026-29192."""
    email = await world.registered()
    await world.database.execute(
        "UPDATE users SET name = $2, claims = jsonb_build_object('website', $2::text) WHERE email_norm = $1",
        email,
        payload,
    )
    shown: dict[str, Any] = {
        "name": payload,
        "logo_uri": f"https://{MARK}.example/{payload}",
        "client_uri": "https://c.example/",
    }
    party = await Party.registered(world, first_party=False, scope=f"openid {'<b>' + MARK}")
    await world.changed_client(party.client, **shown)

    async with Browser(world, **{"User-Agent": payload.encode("ascii", "ignore").decode()}) as browser:
        hint = {"login_hint": payload, "ui_locales": payload, "scope": f"openid <b>{MARK}"}
        login = await browser.authorize(party, **hint)
        consent = await browser.sign_in(login, email)
        posted = await browser.authorize(party, response_mode="form_post", state=payload, prompt="none")
        chosen = await browser.authorize(party, prompt="select_account")
        await browser.submit(consent, "allow")
        pages = [login, consent, posted, chosen, *[await browser.get(path) for path in ACCOUNT]]

    for page in pages:
        text = page.text.replace(f"https://{MARK}.example", "https://logo.example")
        assert Page(re.sub(r'src="https://logo[^"]*"', "", text)).faults == []
        assert "script-src 'self';" in page.headers["content-security-policy"]
    assert f"https://{MARK}.example" in policy_of(consent)["img-src"].split()


@pytest.mark.parametrize("path", [*ANONYMOUS, *ACCOUNT])
async def test_every_page_has_a_policy_that_lets_nothing_in(world: World, path: str) -> None:
    """HD2, HD3, HD5, HD8, HD11, RG13, SE18."""
    async with Browser(world, Accept="text/html") as browser:
        if path in ACCOUNT:
            await browser.signed_in(await world.registered())
        answer = await browser.get(path, params={"token": "t"} if path == "/reset-password" else {})

    if answer.status_code != 303:
        assert policy_of(answer) == dict.fromkeys(OWN, "'self'") | dict.fromkeys(NOTHING, "'none'")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert path == "/" or answer.headers["cache-control"] == "no-store"


CONFINED = {
    "https://app.example/cb": False,
    "http://localhost:7000/cb": False,
    "http://[::1]:7000/cb": False,
    "com.example.app:/cb": False,
    "https://a.example; script-src *": False,
    "javascript:alert(1)": True,
}


@pytest.mark.parametrize("uri", CONFINED)
async def test_a_page_whose_form_leads_to_a_client_lets_nothing_else_in(world: World, uri: str) -> None:
    """HD2, HD7: only `form-action` is left out, since the client may redirect on to anywhere; authentik CVE-2026-42849."""
    places = {"redirect_uris": (uri,), "post_logout_redirect_uris": (uri,)}
    party = await Party.registered(world, first_party=False, **places)
    leaving = {"client_id": party.client.client_id, "post_logout_redirect_uri": uri}

    async with Browser(world) as browser:
        login = await browser.authorize(party)
        consent = await browser.sign_in(login, await world.registered())
        choice = await browser.authorize(party, prompt="select_account")
        posted = await browser.authorize(party, response_mode="form_post", prompt="none")
        leave = await browser.follow(await browser.get("/oauth2/logout", params=leaving))

    for answer in (login, consent, choice, posted, leave):
        policy = policy_of(answer)
        assert policy.pop("form-action", None) == ("'self'" if CONFINED[uri] else None)
        assert policy == dict.fromkeys(set(OWN) - {"form-action"}, "'self'") | dict.fromkeys(NOTHING, "'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert [src.partition("?")[0] for src in Page(posted.text).scripts] == ["/assets/submit.js"]


async def test_password_fields_let_password_managers_work(world: World) -> None:
    """PW11."""
    async with Browser(world) as browser:
        anonymous = {path: await browser.get(path) for path in ("/login", "/register", "/reset-password?token=t")}
        await browser.signed_in(await world.registered())
        pages = anonymous | {path: await browser.get(path) for path in ("/account/password", "/account/email")}

    found = {
        path: [
            (it["autocomplete"], it["type"]) for it in Page(page.text).inputs if "password" in (it.get("name") or "")
        ]
        for path, page in pages.items()
    }
    old, new = ("current-password", "password"), ("new-password", "password")
    assert found == {
        "/login": [old],
        "/register": [new],
        "/reset-password?token=t": [new],
        "/account/password": [old, new],
        "/account/email": [old],
    }
    assert all("paste" not in page.text for page in pages.values())
    assert all(
        "maxlength" not in it for page in pages.values() for it in Page(page.text).inputs if it["type"] == "password"
    )


async def test_a_link_of_a_mail_changes_nothing_until_its_form_is_sent(world: World) -> None:
    """RG14, RG13: programs that look at mails open every link."""
    email = await world.registered()
    await world.post("/auth/forgot-password", email=email)
    reset, confirm = [(await world.mail(email, subject)).link for subject in ("Reset", "Verify")]

    async with Browser(world) as browser:
        for link in (reset, confirm):
            for method in ("GET", "HEAD", "HEAD", "GET"):
                seen = await browser.http.request(method, link)
                assert seen.status_code == 200
                assert seen.headers["referrer-policy"] == "no-referrer"
        confirmed = await browser.submit(await browser.get(confirm), "confirm")
        done = await browser.submit(await browser.get(reset), "reset", password="Another-Horse-8")
        again = await browser.submit(await browser.get(reset), "reset", password="Third-Horse-9")

    assert (confirmed.status_code, done.status_code, again.status_code) == (200, 200, 400)


async def test_no_error_page_tells_more_than_where_to_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """LG4, HD5: in HTML for people, without trace or query."""

    def broken(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(type(world.services.clients), "find", broken)
    answer = await world.http.get("/oauth2/authorize", params={"client_id": "x"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search("SELECT|RuntimeError|Traceback|passwd", answer.text)
    assert answer.headers["x-request-id"] in answer.text
