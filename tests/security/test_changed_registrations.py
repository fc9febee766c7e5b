"""Who registered itself is allowed something as what it was then: what changes is shown to the user first (AZ31)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hosted import CALLBACK, Browser, Party, answer_of
from registrations import Door
from world import Registered, World

WEB = {
    "redirect_uris": [CALLBACK],
    "client_name": "Weather",
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile email",
}
ELSEWHERE = "https://elsewhere.example/callback"
CHANGES: dict[str, dict[str, Any]] = {
    "name": {"client_name": "Your bank"},
    "one more place": {"redirect_uris": [CALLBACK, ELSEWHERE]},
    "logo": {"logo_uri": "https://app.example/logo.png"},
    "page": {"client_uri": "https://app.example/"},
    "policy": {"policy_uri": "https://app.example/policy"},
    "terms": {"tos_uri": "https://app.example/terms"},
}


def asks(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'id="allow"' in page.text


async def registered(world: World, door: Door) -> tuple[Party, dict[str, Any]]:
    made = await door.registered(**WEB)
    return Party(world, Registered(made["client_id"], None)), made


async def replaced(world: World, door: Door, made: dict[str, Any], **metadata: Any) -> None:
    answer = await door.manage("PUT", made, WEB | {"client_id": made["client_id"]} | metadata)
    assert answer.status_code == 200, answer.text
    await world.services.clients.present(made["client_id"])  # the other node remembers it for a second


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_who_changes_what_was_shown_asks_again(world: World, door: Door, change: dict[str, Any]) -> None:
    """AZ31, AZ18: whatever was allowed before, also where no page is wanted."""
    party, made = await registered(world, door)
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope="openid email")
        await replaced(world, door, made, **change)
        silent = answer_of(await browser.authorize(party.again(), scope="openid", prompt="none"))
        page = await browser.authorize(party.again(), scope="openid")
        await browser.submit(page, "allow")
        allowed = await browser.authorize(party.again(), scope="openid", prompt="none")
        more = await browser.authorize(party.again(), scope="openid email")

    assert silent["error"] == "consent_required"
    assert asks(page)
    assert "code" in answer_of(allowed)
    assert asks(more)  # that was allowed to what the client was


async def test_what_no_page_showed_may_change(world: World, door: Door) -> None:
    """AZ31, AZ11: nobody is asked twice for nothing."""
    party, made = await registered(world, door)
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope="openid email")
        await replaced(world, door, made, contacts=["ops@app.example"], scope="openid email")

        assert "code" in answer_of(await browser.authorize(party.again(), scope="openid email"))


async def test_a_page_that_was_shown_before_the_change_allows_nothing_after_it(world: World, door: Door) -> None:
    """AZ31, AZ19: what counts is what the user saw."""
    party, made = await registered(world, door)
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party, scope="openid"), await world.registered())
        await replaced(world, door, made, client_name="Your bank")
        answer = await browser.submit(page, "allow")

    assert asks(answer)
    assert "Your bank" in answer.text


async def test_a_consent_of_before_there_was_a_record_of_what_was_shown_is_none(world: World, door: Door) -> None:
    """AZ31: of earlier releases, which let it survive any change."""
    party, made = await registered(world, door)
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered(), scope="openid")
        await world.database.execute("UPDATE consents SET shown = NULL WHERE client_id = $1", made["client_id"])

        assert asks(await browser.authorize(party.again(), scope="openid"))


async def test_administrators_may_rename_their_clients(world: World) -> None:
    """AZ11: they are trusted not to become somebody else."""
    party = await Party.registered(world, first_party=False)
    async with Browser(world) as browser:
        await browser.authorized(party, await world.registered())
        await world.changed_client(party.client, name="Renamed", redirect_uris=(CALLBACK, ELSEWHERE))

        assert "code" in answer_of(await browser.authorize(party.again()))
