"""Which addresses, names and passwords an account may have, and how they are compared (groups A and C)."""

from __future__ import annotations

import re
import secrets
import unicodedata

import httpx
import pytest
from hosted import Browser
from world import PASSWORD, World


async def registering(world: World, **changed: str) -> httpx.Response:
    body = {"email": world.new_email(), "password": PASSWORD, "name": "Ada"} | changed
    return await world.post("/auth/register", **body)


async def faulty_fields(world: World, **changed: str) -> list[str]:
    answer = await registering(world, **changed)
    assert answer.status_code == 400, answer.text
    return [it["field"] for it in answer.json()["errors"]]


async def signs_in(world: World, email: str, password: str) -> int:
    return (await world.post("/auth/login", email=email, password=password)).status_code


@pytest.mark.parametrize(
    "password",
    ["Short-7", "no-capitals-7", "NO-SMALL-LETTERS-7", "No-digit-at-all", "        ", "é" * 8, "Aa1" + "x" * 998],
)
async def test_a_weak_password_is_refused(world: World, password: str) -> None:
    """PW1."""
    assert await faulty_fields(world, password=password) == ["password"]


@pytest.mark.parametrize(
    "password",
    ["Exactly8", "Aa1" + "é" * 64, "Aa1" + "😀" * 64, "Aa1" + "x" * 997, " Aa1 with spaces ", "Aa1\"\\<>&;'--"],
)
async def test_any_other_password_is_taken_as_it_is(world: World, password: str) -> None:
    """PW2, PW5, T1: of any length, in any script, with its spaces."""
    email = world.new_email()
    assert (await registering(world, email=email, password=password)).status_code == 201

    assert await signs_in(world, email, password) == 200
    for other in (password + " ", password.swapcase(), password[:-1], password[:72]):
        assert await signs_in(world, email, other) == (200 if other == password else 401)


async def test_a_password_is_not_cut_at_72_bytes(world: World) -> None:
    """PW3, Okta 2024: bcrypt alone reads no more."""
    email, password = world.new_email(), "Aa1" + "a" * 69
    assert (await registering(world, email=email, password=password + "1")).status_code == 201

    assert [await signs_in(world, email, it) for it in (password + "2", password, password + "1")] == [401, 401, 200]


async def test_two_ways_of_typing_a_character_are_one_password(world: World) -> None:
    """PW7."""
    email = world.new_email()
    composed, decomposed = [unicodedata.normalize(form, "Pässwörd-7é") for form in ("NFC", "NFD")]
    assert (await registering(world, email=email, password=decomposed)).status_code == 201

    assert composed != decomposed
    assert [await signs_in(world, email, it) for it in (composed, decomposed)] == [200, 200]


@pytest.mark.parametrize("password", ["Aa1" + "\u0301" * 9_900, "x" * 10_000])
async def test_a_password_of_any_size_is_only_wrong(world: World, password: str) -> None:
    """PW2: too long for an account, no error of the server."""
    assert await signs_in(world, await world.registered(), password) == 401


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@example..com",
        "ada@@example.com",
        "ada example@example.com",
        "ada\u202e@example.com",
        "ada\n@example.com",
        "ada@exa mple.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "Ada <ada@example.com>",
        "ada@[127.0.0.1]",
        "ada@-example.com",
        "ada@" + "e" * 250 + ".com",
        "a" * 60_000,
        "\u0301" * 5_000 + "@example.com",
        ".ada@example.com",
    ],
)
async def test_what_is_no_mail_address_is_refused(world: World, email: str) -> None:
    """RG16, IN3, IN14."""
    assert await faulty_fields(world, email=email) == ["email"]


@pytest.mark.parametrize(
    "email",
    ["{}@corp.local", "{}@sub.localhost", "ü{}@bücher.test", "{}@mail.internal", "{}..b.@docomo.ne.jp", '"{} b"@x.lan'],
)
async def test_addresses_of_intranets_and_of_old_networks_are_taken_at_every_door(world: World, email: str) -> None:
    """RG26: over REST and on the pages, whose fields leave it to the server to say what an address is."""
    first, second = (email.format(secrets.token_hex(8)) for _ in range(2))
    assert (await registering(world, email=first)).status_code == 201
    async with Browser(world) as browser:
        page = await browser.submit(await browser.get("/register"), name="王", email=second, password=PASSWORD)

    assert page.status_code == 200, page.text
    assert [await signs_in(world, it, PASSWORD) for it in (first, second)] == [200, 200]


@pytest.mark.parametrize("path", ["/login", "/register", "/forgot-password", "/account/email"])
async def test_no_browser_refuses_an_address_that_the_server_takes(world: World, path: str) -> None:
    """RG26: `type=email` refuses letters other than ASCII before the @, and quotes."""
    async with Browser(world) as browser:
        if path.startswith("/account"):
            await browser.signed_in(await world.registered())
        page = await browser.get(path)

    [field] = re.findall(r'<input id="email"[^>]*>', page.text)
    assert 'type="text"' in field
    assert 'inputmode="email"' in field
    assert "pattern" not in field
    assert "maxlength" not in field


@pytest.mark.parametrize(
    "spelled",
    [
        str.upper,
        lambda it: f"  {it} ",
        lambda it: it + ".",
        lambda it: it.replace("user", "\uff55\uff53\uff45\uff52"),
        lambda it: it.replace("example", "EXAMPLE"),
        lambda it: it.replace("-", "\ufe63"),
    ],
)
async def test_every_spelling_of_an_address_is_the_same_account(world: World, spelled) -> None:
    """PW17, RG22; Authelia CVE-2026-47203."""
    email = await world.registered()

    again = await registering(world, email=spelled(email), password="Another-Pass-8")

    assert again.status_code in (201, 400)
    assert await signs_in(world, spelled(email), PASSWORD) == 200
    assert await signs_in(world, email, "Another-Pass-8") == 401


@pytest.mark.parametrize(
    "email", ["a" * 600 + "@example.com", "ﷺ" * 999, "\u0301" * 999, "ß" * 400 + "@x.example", "x@" + "ü" * 900]
)
@pytest.mark.parametrize("door", ["rest", "grant"])
async def test_an_address_that_no_account_can_have_is_only_wrong(world: World, email: str, door: str) -> None:
    """IN3: however long it becomes when it is folded."""
    client = await world.client()

    answer = (
        await world.post("/auth/login", email=email, password=PASSWORD)
        if door == "rest"
        else await world.token(client.auth, grant_type="password", username=email, password=PASSWORD)
    )

    assert (answer.status_code, answer.json()["error"]) in ((401, "invalid_credentials"), (400, "invalid_grant"))


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", " a ", "x" * 51, "x" * 60_000, " " * 20),
        *("a\0b", "a\x1b[31mb", "\ue000\ue000", "\U000fffff\U000fffff"),
        *("Ada\u202eevE", "A\u200bda", "Ada\u2066", "\u3164\u3164", "\u0301\u0301"),
    ],
)
async def test_a_name_that_is_none_is_refused(world: World, name: str) -> None:
    """IN15."""
    answer = await registering(world, name=name)

    assert answer.status_code == 400
    assert answer.json()["error"] == "validation_failed"


@pytest.mark.parametrize(
    "name",
    [
        "Al",
        "x" * 50,
        "Åsa Öberg",
        "李小龍",
        "王",
        "علی\u200cرضا",
        "O'Brien; DROP TABLE users",
        "{{7*7}}",
        "<img src=x>",
        "${jndi:ldap://x}",
        "%s%n",
    ],
)
async def test_a_name_is_kept_as_it_was_given(world: World, name: str) -> None:
    """IN5, RG16."""
    email = world.new_email()
    assert (await registering(world, email=email, name=name)).json()["user"]["name"] == name

    tokens = (await world.post("/auth/login", email=email, password=PASSWORD)).json()
    assert (await world.profile(tokens["accessToken"])).json()["user"]["name"] == name


async def test_a_name_is_trimmed_and_composed(world: World) -> None:
    answer = await registering(world, name="  Ada \n  Lovelace\u0301 ")

    assert answer.json()["user"]["name"] == unicodedata.normalize("NFC", "Ada Lovelace\u0301")


async def test_a_nul_ends_no_password(world: World) -> None:
    """PW4: it is refused at both doors, so nothing behind it can be left out."""
    email = world.new_email()
    made = await registering(world, email=email, password="Ab1\0cdefgh")

    statuses = [await signs_in(world, email, it) for it in ("Ab1\0cdefgh", "Ab1\0XXXXXX", "Ab1")]

    assert (made.status_code, statuses) == (400, [400, 400, 401])


async def test_an_address_that_is_not_verified_yet_signs_in_at_every_door(world: World) -> None:
    """PW23: the account says that it is not, and each door does the same."""
    email, client = await world.registered(), await world.client()

    rest = await world.post("/auth/login", email=email, password=PASSWORD)
    grant = await world.token(client.auth, grant_type="password", username=email, password=PASSWORD)

    assert (rest.status_code, grant.status_code) == (200, 200)
    assert rest.json()["user"]["emailVerified"] is False


async def test_no_hint_and_no_question_stands_for_a_password(world: World) -> None:
    """PW24: nothing that the API takes or gives has one."""
    schemas = (await world.http.get("/openapi.json")).json()["components"]["schemas"]
    members = {name.lower() for schema in schemas.values() for name in schema.get("properties", {})}

    assert "password" in members
    assert [name for name in members if re.search("hint|question|secretanswer", name)] == []


async def test_a_profile_is_changed_by_its_owner_only_and_says_no_more_than_text(world: World) -> None:
    """UI8: whom a request names besides changes nobody, and what was written is data of its own type."""
    mine, theirs = await world.signed_in(), await world.signed_in()
    name = "<script>alert(1)</script>"

    other = await world.call("PATCH", "/auth/profile", mine, json={"name": "Eve", "email": theirs.email})
    own = await world.call("PATCH", "/auth/profile", mine, json={"name": name})

    assert (other.status_code, own.status_code) == (400, 200)
    assert own.json()["user"]["name"] == name
    assert own.headers["content-type"] == "application/json"
    assert own.headers["x-content-type-options"] == "nosniff"
    assert (await world.profile(theirs.access_token)).json()["user"]["name"] == "Ada"
