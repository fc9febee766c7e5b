"""oauth4webapi (npm), the strict library under others: it says no to any answer that is not to the letter of its RFC."""

from __future__ import annotations

import pytest
from hosted import CALLBACK, GRANTS, SCOPE, Browser
from node_party import Failed, needs, node_party
from world import World


async def test_a_public_client_signs_in_refreshes_and_revokes(world: World) -> None:
    needs("oauth4webapi")
    client = await world.client(public=True, grant_types=GRANTS, redirect_uris=(CALLBACK,), first_party=True)

    async with node_party("oauth4webapi.mjs") as library, Browser(world) as browser:
        await library.ask("discover", issuer=world.settings.issuer, client_id=client.client_id)
        start = await library.ask("start", redirect_uri=CALLBACK, scope=SCOPE)
        page = await browser.follow(await browser.get(start))
        answer = await browser.sign_in(page, await world.registered())
        tokens = await library.ask("finish", url=answer.headers["location"], redirect_uri=CALLBACK)
        told = await library.ask("userinfo", access_token=tokens["access_token"], sub=tokens["claims"]["sub"])
        renewed = await library.ask("refresh", refresh_token=tokens["refresh_token"])
        await library.ask("revoke", token=renewed["refresh_token"])

        assert told["name"] == "Ada"
        with pytest.raises(Failed) as refused:
            await library.ask("refresh", refresh_token=renewed["refresh_token"])
    assert refused.value.error == "invalid_grant"
