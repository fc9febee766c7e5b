"""A client and a user as the OpenID Foundation's suite wants them, each new in every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hosted import Browser, Party
from world import PASSWORD, World

SCOPE = "openid profile email address phone offline_access"
CLAIMS = {
    "givenName": "Ada",
    "familyName": "Lovelace",
    "middleName": "King",
    "nickname": "Countess",
    "preferredUsername": "ada",
    "profile": "https://ada.example/profile",
    "picture": "https://ada.example/picture.png",
    "website": "https://ada.example",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "phoneNumber": "+442071234567",
    "address": {"streetAddress": "12 St James's Square", "locality": "London", "country": "United Kingdom"},
}


@pytest.fixture
async def user(world: World) -> str:
    """The address of somebody who has every standard claim."""
    email = await world.registered(password=PASSWORD)
    tokens = await world.signed_in(email=email)
    answer = await world.call("PATCH", "/auth/profile", tokens, json=CLAIMS)
    assert answer.status_code == 200, answer.text
    return email


@pytest.fixture
async def party(world: World) -> Party:
    """Confidential, and without PKCE, which the suite's basic plan does not use."""
    return await Party.registered(world, public=False, first_party=False, require_pkce=False, scope=SCOPE)


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    async with Browser(world) as browser:
        yield browser
