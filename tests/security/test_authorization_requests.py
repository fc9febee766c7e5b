"""What the authorization endpoint takes, and where it says no (group AZ)."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import urlsplit

import httpx
import pytest
from hosted import CALLBACK, Browser, Party, answer_of, form_of
from world import World

AUTHORIZE = "/oauth2/authorize"
EVIL = "https://evil.example/callback"
# RFC 6749, section 4.1.2.1.
DESCRIBED = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")


def is_local_error(answer: httpx.Response) -> bool:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "evil.example" not in answer.text
    return "location" not in answer.headers and 'id="error"' in answer.text


def refusal_of(answer: httpx.Response, party: Party) -> str:
    """AZ3, AZ4: told to the client where it is registered, with state and issuer."""
    told = answer_of(answer)
    assert re.split("[?#]", answer.headers["location"])[0] == CALLBACK
    assert (told["state"], told["iss"]) == (party.state, party.world.settings.issuer)
    assert DESCRIBED.fullmatch(told["error_description"])
    assert told.keys() == {"error", "error_description", "state", "iss"}
    return told["error"]


async def asked(world: World, fields: dict[str, str] | list[tuple[str, str]], method: str) -> httpx.Response:
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    encoded = str(httpx.QueryParams(pairs))
    if method == "GET":
        return await world.http.get(f"{AUTHORIZE}?{encoded}")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return await world.http.post(AUTHORIZE, content=encoded, headers=form)


UNPROVEN: dict[str, dict[str, str | None]] = {
    "unknown client": {"client_id": "nobody", "redirect_uri": EVIL},
    "no client": {"client_id": None, "redirect_uri": EVIL},
    "evil redirect": {"redirect_uri": EVIL},
    "unsupported type": {"redirect_uri": EVIL, "response_type": "token"},
    "no type": {"redirect_uri": EVIL, "response_type": None},
    "bad scope": {"redirect_uri": EVIL, "scope": "admin"},
    "fragment": {"redirect_uri": EVIL, "response_mode": "fragment"},
    "posted": {"redirect_uri": EVIL, "response_mode": "form_post"},
    "prompt none": {"redirect_uri": EVIL, "prompt": "none"},
    "request object": {"redirect_uri": EVIL, "request_uri": "https://evil.example/r"},
    "no pkce": {"redirect_uri": EVIL, "code_challenge": None},
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("changes", UNPROVEN.values(), ids=UNPROVEN)
async def test_who_is_not_proven_to_be_a_client_gets_no_redirect(
    world: World, changes: dict[str, str | None], method: str
) -> None:
    """AZ1, AZ2; Authlib CVE-2026-41479."""
    party = await Party.registered(world)

    assert is_local_error(await asked(world, party.request(**changes), method))


REFUSED: dict[str, tuple[str, dict[str, str | None]]] = {
    "no type": ("invalid_request", {"response_type": None}),
    **{
        it: ("unsupported_response_type", {"response_type": it})
        for it in ("token", "id_token", "code token", "none", "code code", "CODE", "code id_token token")
    },
    "scope": ("invalid_scope", {"scope": "openid admin"}),
    "scope case": ("invalid_scope", {"scope": "OPENID"}),
    **{it: ("invalid_request", {"response_mode": it}) for it in ("web_message", "JAVASCRIPT", "query.jwt", "Query")},
    **{f"prompt {it}": ("invalid_request", {"prompt": it}) for it in ("none login", "consent none", "create", "NONE")},
    **{f"age {it}": ("invalid_request", {"max_age": it}) for it in ("-1", "1.5", "x", "9" * 30, "٣")},
    "request": ("request_not_supported", {"request": "eyJhbGciOiJub25lIn0.e30."}),
    "request_uri": ("request_uri_not_supported", {"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
    "registration": ("registration_not_supported", {"registration": "{}"}),
    "resource": ("invalid_target", {"resource": "no uri"}),
    "fragment": ("invalid_target", {"resource": "https://api.example/#x"}),
    "login needed": ("login_required", {"prompt": "none"}),
    "acr": (
        "unmet_authentication_requirements",
        {"claims": '{"id_token":{"acr":{"essential":true,"values":["urn:mfa"]}}}'},
    ),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("error", "changes"), REFUSED.values(), ids=REFUSED)
async def test_a_client_that_is_proven_is_told_what_is_wrong(
    world: World, error: str, changes: dict[str, str | None], method: str
) -> None:
    """AZ3, AZ4, AZ8, AZ9, AZ10, AZ12, AZ16, AZ17, AZ30; Keycloak CVE-2026-7571, authentik CVE-2024-52287."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        answer = await asked(world, party.request(**changes), method)
        answer = await browser.follow(answer) if method == "POST" else answer

    assert refusal_of(answer, party) == error


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "extra"])
async def test_a_repeated_parameter_is_refused(world: World, name: str, method: str) -> None:
    """AZ6. Where it decides who is told, nobody is; a state that comes twice is not repeated to anybody."""
    party = await Party.registered(world)
    given = [*party.request(extra="1").items(), (name, "again")]

    answer = await asked(world, given, method)

    if name in ("client_id", "redirect_uri"):
        assert is_local_error(answer)
    else:
        told = answer_of(answer)
        assert told["error"] == "invalid_request"
        assert ("state" in told) is (name != "state")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_sign_in_is_for_one_resource(world: World, method: str) -> None:
    """AZ6, AZ30; RFC 8707, section 2."""
    party = await Party.registered(world)
    resources = [("resource", "https://api.example/"), ("resource", "https://other.example/")]

    two = await asked(world, [*party.request().items(), *resources], method)
    and_more = await asked(world, [*party.request(extra="1").items(), *resources, ("extra", "2")], method)

    assert refusal_of(two, party) == "invalid_target"
    assert refusal_of(and_more, party) == "invalid_request"


async def test_a_resource_that_the_client_may_not_have_is_refused(world: World) -> None:
    """AZ30; RFC 8707."""
    party = await Party.registered(world, resources=("https://api.example/",))

    answer = await asked(world, party.request(resource="https://other.example/"), "GET")

    assert refusal_of(answer, party) == "invalid_target"


@pytest.mark.parametrize("state", ["x" * 2000, "a b&c/é\"'<>%2B+;=#\\", "😀\u202e\u0301", " ", "&state=other"])
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_the_state_comes_back_as_it_was(world: World, state: str, mode: str) -> None:
    """AZ5."""
    party = await Party.registered(world)

    answer = await asked(world, party.request(state=state, response_mode=mode, prompt="none"), "GET")

    told = form_of(answer).fields if mode == "form_post" else answer_of(answer)
    assert told["state"] == state


IGNORED = {
    "extra": "foobar",
    "ui_locales": "se de-AT xx-\u00e9 " + "a" * 900,
    "claims_locales": "se",
    "acr_values": "1 2",
    "display": "popup",
    "id_token_hint": "",
    "request": "",
    "response_mode": "",
    "\ufeffclient_id": "other",
    "<script>": "<script>",
}


@pytest.mark.parametrize("name", IGNORED)
async def test_what_is_unknown_or_empty_is_ignored(world: World, name: str) -> None:
    """AZ7, AZ26."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        answer = await browser.authorized(party, await world.registered(), **{name: IGNORED[name]})

    assert (await party.redeem(answer["code"])).status_code == 200


@pytest.mark.parametrize("name", ["request_uri", "request", "jwks_uri", "logo_uri", "sector_identifier_uri"])
async def test_nothing_in_a_request_makes_the_server_call_an_address(world: World, name: str) -> None:
    """AZ16; Authlib PYSEC-2026-4360, Keycloak CVE-2026-4874."""
    called = asyncio.Event()

    async def call(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        writer.close()

    party = await Party.registered(world)
    async with await asyncio.start_server(call, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with Browser(world) as browser:
            await browser.authorize(party, **{name: f"http://127.0.0.1:{port}/x"})

    assert not called.is_set()


ODD = {
    "nul": "state=%00",
    "not utf-8": "state=%ff",
    "overlong": "state=%c0%80",
    "surrogate": "state=%ed%a0%80",
    "many": "&".join(f"p{n}={n}" for n in range(10_000)),
    "long": "nonce=" + "n" * 20_000,
    "very long": "nonce=" + "n" * 1_000_000,
    "percent": "%zz=%&%",
    "nameless": "=x&=&&",
    "semicolons": "a=1;client_id=x",
    "name": "%00=1",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_odd_bytes_are_no_error_of_the_server(world: World, odd: str, method: str) -> None:
    """AZ25."""
    party = await Party.registered(world)
    text = f"{httpx.QueryParams(party.request(nonce=None, state=None))}&{odd}"

    async with httpx.AsyncClient(base_url=world.settings.issuer, timeout=60, verify=False) as http:
        if method == "GET":
            answer = await raw_get(http, f"{AUTHORIZE}?{text}")
        else:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await http.post(AUTHORIZE, content=text, headers=form)

    assert answer.status_code in (303, 400, 413, 414, 431)
    assert urlsplit(answer.headers.get("location", "")).netloc in ("", "app.example")


async def raw_get(http: httpx.AsyncClient, target: str) -> httpx.Response:
    """httpx refuses addresses of more than 64 KiB, so the bytes go out as they are."""
    extensions = {"target": target.encode()}
    return await http.get(AUTHORIZE, extensions=extensions)


CLAIMS = {
    "no json": "{",
    "list": "[]",
    "number": '{"id_token":{"sub":{"value":' + "9" * 30 + "}}}",
    "infinite": '{"id_token":{"sub":{"value":1e999}}}',
    "no number": '{"id_token":{"sub":{"value":NaN}}}',
    "digits": '{"id_token":{"sub":{"value":' + "9" * 4000 + "}}}",
    "deep": '{"userinfo":{"x":{"value":' + "[" * 300 + "]" * 300 + "}}}",
    "deeper": '{"userinfo":{"x":{"value":' + "[" * 1900 + "]" * 1900 + "}}}",
    "nul": '{"userinfo":{"\\u0000":null}}',
    "surrogate": '{"userinfo":{"x":{"value":"\\ud800"}}}',
    "many": json.dumps({"userinfo": {f"c{n}": None for n in range(51)}}),
    "long": json.dumps({"userinfo": {"c" * 101: None}}),
    "section": '{"userinfo":[]}',
    "demand": '{"userinfo":{"email":true}}',
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_claims_that_cannot_be_kept_are_refused(world: World, claims: str) -> None:
    """AZ25."""
    party = await Party.registered(world)

    answer = await asked(world, party.request(claims=claims), "GET")

    assert refusal_of(answer, party) == "invalid_request"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_leave_nothing_behind(world: World, method: str) -> None:
    """AZ27, SE10."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        before = await world.cache.dbsize()
        answer = await browser.http.request(method, AUTHORIZE, params=party.request())

    assert answer.status_code == 405 or (method == "OPTIONS" and answer.status_code == 200)
    assert "location" not in answer.headers
    assert await world.cache.dbsize() == before
