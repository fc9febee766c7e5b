"""What users say of themselves, and what administrators say of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from world import Tokens, World

TOLD: dict[str, Any] = {
    "givenName": "Ada",
    "familyName": "Lovelace",
    "middleName": "Augusta",
    "nickname": "Enchantress",
    "preferredUsername": "ada",
    "profile": "https://ada.example/me",
    "picture": "https://ada.example/me.png",
    "website": "https://ada.example",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "phoneNumber": "+442079460000",
    "address": {
        "formatted": "12 St James's Square\nLondon",
        "streetAddress": "12 St James's Square",
        "locality": "London",
        "region": "Greater London",
        "postalCode": "SW1Y 4JH",
        "country": "GB",
    },
}
UNTOLD = dict.fromkeys(TOLD) | {"phoneNumberVerified": False}


@pytest.fixture
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


async def changed(world: World, tokens: Tokens, **members: Any) -> dict[str, Any]:
    answer = await world.call("PATCH", "/auth/profile", tokens, json=members)
    assert answer.status_code == 200, answer.text
    user: dict[str, Any] = answer.json()["user"]
    return user


async def own(world: World, tokens: Tokens) -> dict[str, Any]:
    user: dict[str, Any] = (await world.profile(tokens.access_token)).json()["user"]
    return user


async def fields_told(world: World, tokens: Tokens) -> list[str]:
    events = await world.events("profile_changed", user_id=(await world.session(tokens))["user_id"])
    return [event["detail"]["fields"] for event in events]


async def test_every_claim_is_stored_and_told(world: World, tokens: Tokens) -> None:
    before = await own(world, tokens)
    assert before.items() >= UNTOLD.items()

    after = await changed(world, tokens, **TOLD)

    assert after.items() >= TOLD.items()
    assert await own(world, tokens) == after
    assert {name for name in before if before[name] != after[name]} == TOLD.keys() | {"updatedAt"}


async def test_a_change_touches_what_it_names_and_null_takes_away(world: World, tokens: Tokens) -> None:
    await changed(world, tokens, **TOLD)

    after = await changed(world, tokens, nickname=None, name="Ada King", address={"country": "FR", "region": None})

    assert (after["nickname"], after["name"], after["givenName"]) == (None, "Ada King", "Ada")
    assert {name: it for name, it in after["address"].items() if it} == {"country": "FR"}
    assert (await changed(world, tokens, address={}))["address"] is None
    assert (await changed(world, tokens, **dict.fromkeys(TOLD))).items() >= UNTOLD.items()


async def test_the_trail_has_the_names_of_what_changed_and_nothing_that_was_said(world: World, tokens: Tokens) -> None:
    """LG3."""
    await changed(world, tokens, birthdate="1815-12-10", name="Ada King")
    await changed(world, tokens, birthdate="1815-12-10", name="Ada King")
    await changed(world, tokens, birthdate=None, phoneNumber="+442079460000")

    assert await fields_told(world, tokens) == ["name birthdate", "birthdate phoneNumber"]
    trail = await world.database.fetch("SELECT detail::text FROM audit.events WHERE detail::text LIKE '%1815%'")
    assert trail == []


async def test_changes_at_once_undo_nothing(world: World, tokens: Tokens) -> None:
    members = [name for name in TOLD if name != "address"]

    await asyncio.gather(*(changed(world, tokens, **{name: TOLD[name]}) for name in members))

    assert (await own(world, tokens)).items() >= {name: TOLD[name] for name in members}.items()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"emailVerified": True}, "emailVerified"),
        ({"email": "eve@example.com"}, "email"),
        ({"phoneNumberVerified": True}, "phoneNumberVerified"),
        ({"given_name": "Ada"}, "given_name"),
        ({"updatedAt": "2026-01-01"}, "updatedAt"),
        ({"sub": "x"}, "sub"),
        ({"givenName": ""}, "givenName"),
        ({"givenName": 1}, "givenName"),
        ({"givenName": ["x"]}, "givenName"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"birthdate": "tomorrow"}, "birthdate"),
        ({"address": "12 St James's Square"}, "address"),
        ({"address": {"planet": "Earth"}}, "address.planet"),
        ({"address": {"postalCode": 7}}, "address.postalCode"),
        ({"address": {"locality": "a\u0007b"}}, "address.locality"),
    ],
)
async def test_what_is_no_claim_or_not_one_s_own_to_say_is_named_and_changes_nothing(
    world: World, tokens: Tokens, body: dict[str, Any], field: str
) -> None:
    """RG18, RG19, IN3, IN4; Zitadel CVE-2026-27946: nobody verifies an address or a number by saying so."""
    before = await own(world, tokens)

    answer = await world.call("PATCH", "/auth/profile", tokens, json={"nickname": "Eve"} | body if body else body)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert await own(world, tokens) == before


# Administrators.


async def path_of(world: World, tokens: Tokens) -> str:
    return f"/admin/users/{(await world.session(tokens))['user_id']}"


async def test_an_administrator_sees_and_changes_claims_too(world: World, tokens: Tokens) -> None:
    admin, path = await world.admin(), await path_of(world, tokens)
    await changed(world, tokens, **TOLD)

    seen = (await world.call("GET", path, admin)).json()["user"]
    answer = await world.call("PUT", path, admin, json={"nickname": None, "locale": "fr", "phoneNumberVerified": True})

    assert seen.items() >= TOLD.items()
    after = answer.json()["user"]
    assert (after["nickname"], after["locale"], after["phoneNumberVerified"]) == (None, "fr", True)
    assert {name for name in seen if seen[name] != after[name]} == {
        "nickname",
        "locale",
        "phoneNumberVerified",
        "updatedAt",
    }
    assert (await own(world, tokens))["phoneNumberVerified"] is True


async def test_another_number_of_the_user_is_unverified_again(world: World, tokens: Tokens) -> None:
    """RG18."""
    admin, path = await world.admin(), await path_of(world, tokens)
    given = {"phoneNumber": "+442079460000", "phoneNumberVerified": True}
    await world.call("PUT", path, admin, json=given)

    assert (await changed(world, tokens, phoneNumber="+44 20 7946 0000", gender="f"))["phoneNumberVerified"] is True
    assert (await changed(world, tokens, phoneNumber="+442079460001"))["phoneNumberVerified"] is False


async def test_the_version_covers_claims(world: World, tokens: Tokens) -> None:
    admin, path = await world.admin(), await path_of(world, tokens)
    version = {"If-Match": (await world.call("GET", path, admin)).headers["etag"]}
    await changed(world, tokens, gender="female")

    answer = await world.call("PUT", path, admin, json={"name": "Stale"}, headers=version)

    assert (answer.status_code, answer.json()["error"]) == (412, "precondition_failed")


async def test_the_trail_tells_that_an_administrator_changed_a_claim_and_not_what_it_was(
    world: World, tokens: Tokens
) -> None:
    """AD11."""
    admin, path = await world.admin(), await path_of(world, tokens)
    given = {"phoneNumber": "+442079460000", "phoneNumberVerified": True, "name": "Ada King"}
    await world.call("PUT", path, admin, json=given)
    await world.call("PUT", path, admin, json={"phoneNumber": "+442079460001"})

    events = await world.events("user_updated", user_id=(await world.session(tokens))["user_id"])
    assert [event["detail"]["changes"] for event in events] == [
        {
            "name": ["Ada", "Ada King"],
            "phoneNumber": [None, "(hidden)"],
            "phoneNumberVerified": [None, True],
        },
        {"phoneNumber": ["(hidden)", "(hidden)"], "phoneNumberVerified": [True, None]},
    ]


@pytest.mark.parametrize(
    ("body", "field"), [({"phoneNumberVerified": "yes"}, "phoneNumberVerified"), ({"picture": "x"}, "picture")]
)
async def test_an_administrator_is_told_of_faults_too(
    world: World, tokens: Tokens, body: dict[str, Any], field: str
) -> None:
    answer = await world.call("PUT", await path_of(world, tokens), await world.admin(), json=body)

    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (400, [field])
