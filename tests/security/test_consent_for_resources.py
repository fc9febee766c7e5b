"""What a user allows is for the resource that the page names, and for no other (AZ18, AZ30; RFC 8707)."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from hosted import Browser, Party, answer_of, claims_of
from world import Registered, World

from idp.domain.clients.clients import digest_of_secret

API = "https://api.example/v1"
OTHER = "https://other.example/"


@pytest.fixture
async def party(world: World) -> Party:
    return await Party.registered(world, first_party=False)


def asks(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'id="allow"' in page.text


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


@pytest.mark.parametrize(
    ("language", "told"), [("en", "do this at <strong>%s</strong>"), ("de", "tut das bei <strong>%s</strong>")]
)
async def test_the_page_names_the_resource(world: World, party: Party, language: str, told: str) -> None:
    """AZ18."""
    email = await world.registered()
    async with Browser(world, **{"Accept-Language": language}) as browser:
        page = await browser.sign_in(await browser.authorize(party, resource=API), email)
        plain = await browser.authorize(party.again())

    assert asks(page)
    assert told % API in page.text
    assert 'class="resource"' not in plain.text


async def test_what_is_allowed_at_one_place_is_asked_for_at_another(world: World, party: Party) -> None:
    """AZ18, AZ30: this server is one of them, and each is asked about once."""
    places = (None, API, OTHER)
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        first = [await browser.authorize(party, resource=place) for place in places]
        for page in first:
            assert asks(page)
            await browser.submit(page, "allow")
        again = [await browser.authorize(party, resource=place, prompt="none") for place in places]

    assert all("code" in answer_of(page) for page in again)


@pytest.mark.parametrize(("allowed", "asked"), [(None, API), (API, None), (API, OTHER), (API, API + "/")])
async def test_no_consent_covers_another_resource(
    world: World, party: Party, allowed: str | None, asked: str | None
) -> None:
    """AZ18, AZ30."""
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), resource=allowed)
        page = await browser.authorize(party.again(), resource=asked)
        without_page = answer_of(await browser.authorize(party.again(), resource=asked, prompt="none"))

    assert asks(page)
    assert without_page["error"] == "consent_required"


async def test_a_scope_is_allowed_where_it_was_asked_for(world: World, party: Party) -> None:
    """AZ18: what was allowed at two places does not add up."""
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope="openid email")
        await browser.submit(await browser.authorize(party.again(), scope="openid", resource=API), "allow")
        more = await browser.authorize(party.again(), scope="openid email", resource=API)
        await browser.submit(more, "allow")
        both = await browser.authorize(party.again(), scope="openid email", resource=API)

    assert asks(more)
    assert "code" in answer_of(both)


async def test_a_code_becomes_no_token_for_a_resource_that_no_page_named(world: World, party: Party) -> None:
    """AZ18, AZ30: neither at once nor by a refresh; the code and the family live on."""
    async with Browser(world) as browser:
        code = (await browser.authorized(party, await world.registered()))["code"]
        turned = await party.redeem(code, resource=API)
        tokens = (await party.redeem(code)).json()
        later = await party.refresh(tokens["refresh_token"], resource=API)
        await browser.submit(await browser.authorize(party.again(), resource=API, scope="openid"), "allow")
        narrow = await party.refresh(tokens["refresh_token"], resource=API, scope="openid")
        wide = await party.refresh(narrow.json()["refresh_token"], resource=API)

    assert [refused(answer) for answer in (turned, later, wide)] == [True] * 3
    assert claims_of(narrow.json()["access_token"])["aud"] == API
    assert (await party.refresh(narrow.json()["refresh_token"])).status_code == 200


async def test_this_server_named_as_the_resource_is_what_the_page_was_about(world: World, party: Party) -> None:
    """AZ18: the token is the same as without a resource, so a client that names the issuer at each call loses nothing."""
    async with Browser(world) as browser:
        code = (await browser.authorized(party, await world.registered()))["code"]
        issuer = answer_of(await browser.authorize(party.again()))["iss"]
    first = await party.redeem(code, resource=issuer)
    second = await party.refresh(first.json()["refresh_token"], resource=issuer)
    plain = await party.refresh(second.json()["refresh_token"])

    assert [claims_of(answer.json()["access_token"])["aud"] for answer in (first, second, plain)] == [issuer] * 3


async def test_a_first_party_asks_nobody(world: World) -> None:
    party = await Party.registered(world)
    async with Browser(world) as browser:
        code = (await browser.authorized(party, await world.registered()))["code"]

    tokens = (await party.redeem(code, resource=API)).json()

    assert claims_of(tokens["access_token"])["aud"] == API


async def test_the_user_sees_and_withdraws_it(world: World, party: Party) -> None:
    """AZ18, LG3."""
    email = await world.registered()
    async with Browser(world) as browser:
        await browser.authorized(party, email, resource=API, scope="openid")
        listed = await browser.get("/account/applications")
        await browser.submit(listed, None, client_id=party.client.client_id)
        after = await browser.authorize(party.again(), resource=API, scope="openid")

    user_id = UUID(str(await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)))
    [event] = await world.events("consent_granted", user_id=user_id)
    assert f"<strong>{API}</strong>" in listed.text
    assert asks(after)
    assert (event["detail"]["scope"], event["detail"]["resource"]) == ("openid", API)


# Clients that registered themselves.


async def of_its_own(world: World, *resources: str) -> Party:
    digest = digest_of_secret("its token")
    return await Party.registered(world, first_party=False, registration_digest=digest, resources=resources)


async def test_a_client_that_registered_itself_asks_for_no_resource(world: World) -> None:
    """AZ30: no list means none, at each door."""
    party = await of_its_own(world)
    async with Browser(world) as browser:
        answer = answer_of(await browser.authorize(party, resource=API))
        code = (await browser.authorized(party, await world.registered()))["code"]
        turned = await party.redeem(code, resource=API)
        tokens = (await party.redeem(code)).json()
        later = await party.refresh(tokens["refresh_token"], resource=API)

    assert answer["error"] == "invalid_target"
    assert (refused(turned), refused(later)) == (True, True)
    assert claims_of(tokens["access_token"])["aud"] == world.settings.issuer


@pytest.mark.parametrize("grant", ["password", "client_credentials"])
async def test_nor_by_a_grant_that_it_should_not_have(world: World, grant: str) -> None:
    """AZ30."""
    client = await world.client(registration_digest=digest_of_secret("its token"))
    user = {"username": await world.registered(), "password": "Correct-Horse-7"} if grant == "password" else {}

    assert refused(await world.token(client.auth, grant_type=grant, resource=API, **user))


async def test_what_it_was_given_it_may_ask_for_as_long_as_it_has_it(world: World) -> None:
    """AZ30: of a session too, what is registered now counts."""
    party = await of_its_own(world, API)
    async with Browser(world) as browser:
        other = answer_of(await browser.authorize(party, resource=OTHER))
        tokens = await party.tokens(browser, await world.registered(), resource=API)
    good = await party.refresh(tokens["refresh_token"])
    await world.changed_client(Registered(party.client.client_id, None), resources=())
    late = await party.refresh(good.json()["refresh_token"])

    assert other["error"] == "invalid_target"
    assert claims_of(good.json()["access_token"])["aud"] == API
    assert refused(late)
