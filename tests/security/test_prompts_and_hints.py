"""Who must sign in once more, and who may not take whose place (AZ10 to AZ15), and what changes while a request waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from forger import Forger, encoded, forger_of
from hosted import Browser, Party, answer_of, claims_of, form_of
from world import PASSWORD, Tokens, World


async def user_id(world: World, email: str) -> UUID:
    return UUID(str(await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)))


async def time_passes(world: World, email: str, span: timedelta) -> None:
    """Since the user's sign-ins in browsers."""
    await world.database.execute(
        "UPDATE browser_sessions SET auth_time = auth_time - $2::interval WHERE user_id = $1",
        await user_id(world, email),
        span,
    )


def asks_to_sign_in(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'id="sign-in"' in page.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none", "max_age": "60"}, "login_required"),
    ],
)
async def test_who_may_see_no_page_is_told_that_one_is_needed(
    world: World, changes: dict[str, str], error: str
) -> None:
    """AZ10."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        if "max_age" in changes:
            await browser.signed_in(email)
            await time_passes(world, email, timedelta(minutes=2))
        answer = answer_of(await browser.authorize(party, **changes))

    assert answer["error"] == error
    assert "code" not in answer


@pytest.mark.parametrize(
    "changes", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}, {"prompt": "login consent"}]
)
async def test_who_must_sign_in_again_does_and_the_token_tells_when(world: World, changes: dict[str, str]) -> None:
    """AZ13."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        first = await party.tokens(browser, email)
        await time_passes(world, email, timedelta(minutes=2))
        again = party.again()
        page = await browser.authorize(again, **changes)
        assert asks_to_sign_in(page)
        second = await again.tokens(browser, email, **changes)

    assert claims_of(second["id_token"])["auth_time"] >= claims_of(first["id_token"])["auth_time"]
    assert claims_of(second["id_token"])["auth_time"] > claims_of(first["id_token"])["auth_time"] - 120


@pytest.mark.parametrize("prompt", ["login ", " login", "login  consent", "  login   consent  "])
async def test_blanks_around_the_members_of_prompt_are_none_of_them(world: World, prompt: str) -> None:
    """AZ13: as clients send them that join lists with an empty member."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        await browser.signed_in(email)
        page = await browser.authorize(party, prompt=prompt, response_type=" code ", ui_locales="de_DE")
        assert asks_to_sign_in(page)
        answer = await browser.authorized(party.again(), email, prompt=prompt)

    assert '<html lang="de">' in page.text
    assert "code" in answer


async def test_blanks_alone_are_no_prompt_and_none_among_blanks_is_none(world: World) -> None:
    """AZ10, AZ11."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        unknown = answer_of(await browser.authorize(party, prompt=" none "))
        await browser.signed_in(email)
        known = answer_of(await browser.authorize(party.again(), prompt="  "))

    assert unknown["error"] == "login_required"
    assert "code" in known


async def test_a_fresh_sign_in_is_not_asked_for_twice(world: World) -> None:
    """AZ13."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        await browser.signed_in(email)
        answer = answer_of(await browser.authorize(party, max_age="60"))
        second = await browser.sign_in(await browser.authorize(party.again(), prompt="login"), email)

    assert "code" in answer
    assert "code" in answer_of(second)


async def test_signing_in_elsewhere_does_not_answer_a_demand_to_sign_in(world: World) -> None:
    """AZ13: a page of another request, or of none, is not the one that was asked for."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        await browser.signed_in(email)
        page = await browser.authorize(party, prompt="login")
        handle = form_of(page).fields["request"]
        other = await browser.authorize(party.again(), prompt="login")
        await browser.sign_in(other, email)
        still = await browser.follow(await browser.get("/continue", params={"request": handle}))

    assert asks_to_sign_in(still)


@pytest.mark.parametrize("none", [True, False])
async def test_a_hint_of_another_user_gives_nobody_elses_session(world: World, none: bool) -> None:
    """AZ14."""
    party, victim, present = await Party.registered(world), await world.registered(), await world.registered()
    async with Browser(world) as theirs:
        hint = (await party.tokens(theirs, victim))["id_token"]

    async with Browser(world) as browser:
        await browser.signed_in(present)
        page = await browser.authorize(party.again(), id_token_hint=hint, **({"prompt": "none"} if none else {}))
        if none:
            assert answer_of(page)["error"] == "login_required"
            return
        assert asks_to_sign_in(page)
        assert asks_to_sign_in(await browser.sign_in(page, present))  # not who was asked for
        answer = answer_of(await browser.sign_in(page, victim))

    assert "code" in answer


async def forger(world: World, id_token: str) -> Forger:
    return await forger_of(world, Tokens(id_token, "", "", None))


async def test_an_expired_hint_still_names_the_user(world: World) -> None:
    """AZ14: OpenID Connect Core, section 3.1.2.1."""
    party, email = await Party.registered(world), await world.registered()

    async with Browser(world) as browser:
        old = (await forger(world, (await party.tokens(browser, email))["id_token"])).with_claims(exp=1, iat=0)
        answer = answer_of(await browser.authorize(party.again(), id_token_hint=old, prompt="none"))

    assert "code" in answer


async def forged_hints(world: World, party: Party, browser: Browser) -> dict[str, str]:
    tokens = await party.tokens(browser, await world.registered())
    forge = await forger(world, tokens["id_token"])
    header, payload, signature = tokens["id_token"].split(".")
    return {
        "alg none": f"{encoded(forge.header | {'alg': 'none'})}.{payload}.",
        "hmac": forge.under_hmac(b"secret"),
        "foreign key": forge.signed(key=forge.foreign_key),
        "other issuer": forge.with_claims(iss="https://evil.example"),
        "two audiences": forge.with_claims(aud=[party.client.client_id, "other"]),
        "no subject": forge.with_claims(sub=None),
        "type": forge.signed(header=forge.header | {"typ": "at+jwt"}),
        "unsigned": f"{header}.{payload}.",
        "other signature": f"{header}.{payload}.{signature[::-1]}",
        "access token": tokens["access_token"],
        "userinfo": forge.with_claims(exp=None, iat=None),
        "without an end": forge.with_claims(exp=None),
        "without a beginning": forge.with_claims(iat=None),
        "undefined": "undefined",
        "garbage": "x.y.z",
        "long": "a" * 9000,
        "not ascii": "é.é.é",
    }


async def test_a_hint_that_cannot_be_verified_counts_as_none(world: World) -> None:
    """AZ14, JW1, JW9: what it claims of another user keeps nobody out, and gives nobody that user's session."""
    party, present = await Party.registered(world), await world.registered()
    async with Browser(world) as theirs:
        hints = await forged_hints(world, party, theirs)

    async with Browser(world) as browser:
        await browser.signed_in(present)
        for name, hint in hints.items():
            answer = answer_of(await browser.authorize(party.again(), id_token_hint=hint, prompt="none"))
            assert "code" in answer, name
        tokens = await party.again().tokens(browser, present, id_token_hint=hints["foreign key"])

    assert claims_of(tokens["id_token"])["sub"] == str(await user_id(world, present))


async def test_without_a_session_such_a_hint_asks_to_sign_in(world: World) -> None:
    """AZ14."""
    party = await Party.registered(world)

    async with Browser(world) as browser:
        assert asks_to_sign_in(await browser.authorize(party, id_token_hint="undefined"))
        answer = answer_of(await browser.authorize(party.again(), id_token_hint="undefined", prompt="none"))

    assert answer["error"] == "login_required"


async def test_a_hint_of_another_client_is_refused(world: World) -> None:
    """AZ14: it can be verified, and is no ID token of who sends it."""
    party, other = await Party.registered(world), await Party.registered(world)

    async with Browser(world) as browser:
        hint = (await other.tokens(browser, await world.registered()))["id_token"]
        answer = answer_of(await browser.get("/oauth2/authorize", params=party.request(id_token_hint=hint)))

    assert answer["error"] == "invalid_request"


async def test_a_long_id_token_is_a_hint_like_any_other(world: World) -> None:
    """AZ14: with the claims that a client has asked for by name it is longer than what else is taken."""
    party, present, other = await Party.registered(world), await world.registered(), await world.registered()
    async with Browser(world) as browser:
        own = await forger(world, (await party.tokens(browser, present))["id_token"])
        long = [own.with_claims(website="w" * 4000)]
        long.append(own.with_claims(website="w" * 4000, sub=str(await user_id(world, other))))
        answers = [
            answer_of(await browser.authorize(party.again(), id_token_hint=hint, prompt="none")) for hint in long
        ]

    assert min(map(len, long)) > 4096
    assert "code" in answers[0]
    assert answers[1]["error"] == "login_required"


async def test_the_user_that_the_claims_parameter_demands_is_the_only_one(world: World) -> None:
    """AZ14: OpenID Connect Core, section 5.5.1."""
    party, wanted, present = await Party.registered(world), await world.registered(), await world.registered()
    claims = f'{{"id_token":{{"sub":{{"value":"{await user_id(world, wanted)}"}}}}}}'

    async with Browser(world) as browser:
        await browser.signed_in(present)
        none = answer_of(await browser.authorize(party, claims=claims, prompt="none"))
        page = await browser.authorize(party, claims=claims)
        answer = answer_of(await browser.sign_in(page, wanted))

    assert none["error"] == "login_required"
    assert claims_of((await party.redeem(answer["code"])).json()["id_token"])["sub"] == str(
        await user_id(world, wanted)
    )


async def test_a_login_hint_is_text_in_a_field(world: World) -> None:
    """AZ15, HD6."""
    party, hint = await Party.registered(world), '"><script>alert(1)</script>'

    async with Browser(world) as browser:
        page = await browser.authorize(party, login_hint=hint)

    assert "<script>alert" not in page.text
    assert form_of(page).fields["email"] == hint


# While a request waits.


async def test_who_is_disabled_after_the_page_was_shown_gets_no_code(world: World) -> None:
    """AZ28, PW22; Zitadel CVE-2024-46999."""
    party, email = await Party.registered(world, first_party=False), await world.registered()

    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        await world.services.user_administration.disable(str(await user_id(world, email)))
        answer = await browser.submit(page, "allow")

    assert answer.status_code == 403 or asks_to_sign_in(answer)
    assert "location" not in answer.headers


@pytest.mark.parametrize("gone", ["disabled", "elsewhere"])
async def test_a_client_that_is_disabled_or_moved_while_the_page_is_shown_gets_no_code(world: World, gone: str) -> None:
    """AZ28, CA10."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    change = {"enabled": False} if gone == "disabled" else {"redirect_uris": ("https://app.example/other",)}

    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        await world.changed_client(party.client, **change)
        answer = await browser.submit(page, "allow")

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("event", ["disabled", "signed out everywhere", "scope", "client"])
async def test_a_code_is_worth_nothing_once_its_user_or_client_may_not_have_it(world: World, event: str) -> None:
    """AZ28, PW22; Keycloak CVE-2026-1609."""
    party, email = await Party.registered(world), await world.registered()
    async with Browser(world) as browser:
        code = (await browser.authorized(party, email))["code"]
    tokens = await world.signed_in(email=email)
    match event:
        case "disabled":
            await world.services.user_administration.disable(str(await user_id(world, email)))
        case "signed out everywhere":
            await world.call("POST", "/auth/logout-all", tokens)
        case "scope":
            await world.changed_client(party.client, scope="openid")
        case _:
            await world.changed_client(party.client, enabled=False)

    assert (await party.redeem(code)).status_code in (400, 401)


@pytest.mark.parametrize("reverse", [False, True])
async def test_two_tabs_end_each_with_its_own_answer(world: World, reverse: bool) -> None:
    """AZ29."""
    one, email = await Party.registered(world), await world.registered()
    other = await Party.registered(world, redirect_uris=("https://other.example/cb",))

    async with Browser(world) as browser:
        pages = [(party, await browser.authorize(party)) for party in (one, other)]
        answers = [(party, await browser.sign_in(page, email)) for party, page in (pages[::-1] if reverse else pages)]

    for party, answer in answers:
        assert answer.headers["location"].startswith(f"{party.redirect_uri}?")
        told = answer_of(answer)
        assert told["state"] == party.state
        assert claims_of((await party.redeem(told["code"])).json()["id_token"])["nonce"] == party.nonce


async def test_sending_a_form_twice_is_no_error(world: World) -> None:
    """AZ29."""
    party, email = await Party.registered(world, first_party=False), await world.registered()

    async with Browser(world) as browser:
        page = await browser.authorize(party)
        form = form_of(page)
        filled = form.fields | {"email": email, "password": PASSWORD}
        await asyncio.gather(*(browser.http.post(form.action, data=filled) for _ in range(2)))
        consent = await browser.sign_in(page, email)
        answers = [answer_of(await browser.submit(consent, "allow")) for _ in range(2)]

    assert [(await party.redeem(answer["code"])).status_code for answer in answers] == [200, 200]
