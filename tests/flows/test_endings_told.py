"""Clients are told however a session ends (OpenID Connect Back-Channel Logout 1.0), by calls to a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hosted import Browser, claims_of, form_of
from leaving import SignedIn, sid, signed_in, sub
from own_account import NEW_PASSWORD, change_password, delete
from told import listener, notices, until_none
from world import Tokens, World


async def by_logout(user: SignedIn) -> None:
    await user.logout(id_token_hint=user.hint)


async def by_the_user_on_our_page(user: SignedIn) -> None:
    await user.browser.submit(await user.browser.get("/logout"), "sign-out")


async def by_the_user_from_elsewhere(user: SignedIn) -> None:
    tokens = await user.world.signed_in(email=user.email)
    await user.world.call("DELETE", f"/auth/sessions/{sid(user)}", tokens)


async def by_ending_the_browser_session_from_another(user: SignedIn) -> None:
    async with Browser(user.world) as other:
        await other.signed_in(user.email)
        await other.submit(await other.get("/account/sessions"), "end-others")


async def by_the_button_of_the_account(user: SignedIn) -> None:
    await user.browser.submit(await user.browser.get("/account"), "sign-out")


async def by_signing_out_everywhere(user: SignedIn) -> None:
    await user.world.call("POST", "/auth/logout-all", await user.world.signed_in(email=user.email))


async def by_a_change_of_password(user: SignedIn) -> None:
    await change_password(user.world, await user.world.signed_in(email=user.email))


async def by_a_reset_of_the_password(user: SignedIn) -> None:
    await user.world.post("/auth/forgot-password", email=user.email)
    token = (await user.world.mail(user.email, "password")).token
    await user.world.post("/auth/reset-password", token=token, newPassword=NEW_PASSWORD)


async def by_an_administrator(user: SignedIn) -> None:
    await user.world.call("DELETE", f"/admin/users/{sub(user)}/sessions", await user.world.admin())


async def by_disabling_the_user(user: SignedIn) -> None:
    await user.world.call("PUT", f"/admin/users/{sub(user)}", await user.world.admin(), json={"status": "disabled"})


async def by_deleting_the_user(user: SignedIn) -> None:
    await user.world.call("DELETE", f"/admin/users/{sub(user)}", await user.world.admin())


async def by_deleting_the_own_account(user: SignedIn) -> None:
    await delete(user.world, await user.world.signed_in(email=user.email))


async def by_withdrawing_the_consent(user: SignedIn) -> None:
    await user.world.changed_client(user.party.client, first_party=False)
    await user.browser.authorized(user.party.again(), user.email)
    fields = form_of(await user.browser.get("/account/applications")).fields
    await user.browser.http.post("/account/applications", data=fields | {"client_id": user.client_id})


async def by_reuse_of_a_refresh_token(user: SignedIn) -> None:
    first = user.tokens["refresh_token"]
    second = (await user.party.refresh(first)).json()["refresh_token"]
    await user.party.refresh(second)
    stolen = Tokens(user.tokens["access_token"], first, user.client_id, None)
    await user.world.time_passes(stolen, user.world.settings.refresh_grace * 2)
    assert (await user.party.refresh(first)).status_code == 400


async def by_reuse_of_the_code(user: SignedIn) -> None:
    refused = await user.party.redeem(user.code)
    assert refused.status_code == 400


WAYS = [
    by_logout,
    by_the_user_on_our_page,
    by_the_user_from_elsewhere,
    by_ending_the_browser_session_from_another,
    by_the_button_of_the_account,
    by_signing_out_everywhere,
    by_a_change_of_password,
    by_a_reset_of_the_password,
    by_an_administrator,
    by_disabling_the_user,
    by_deleting_the_user,
    by_deleting_the_own_account,
    by_withdrawing_the_consent,
    by_reuse_of_a_refresh_token,
    by_reuse_of_the_code,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_the_client_is_told_however_the_session_ends(
    world: World, way: Callable[[SignedIn], Awaitable[None]]
) -> None:
    """LO7."""
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        await way(user)
        claims = claims_of((await client.told())[0])

        assert (claims["sub"], claims["sid"]) == (sub(user), sid(user))
        await until_none(world, user.client_id)
        assert len(client.tokens) == 1


async def test_who_signs_out_ends_the_sessions_at_every_client_of_the_browser(world: World) -> None:
    """LO7: each is told of its own session."""
    async with (
        listener(world) as first,
        listener(world) as second,
        signed_in(world, backchannel_logout_uri=first.uri) as user,
        signed_in(world, user.browser, user.email, backchannel_logout_uri=second.uri) as beside,
    ):
        await user.logout(id_token_hint=user.hint)

        assert [claims_of(token)["sid"] for token in await first.told()] == [sid(user)]
        assert [claims_of(token)["sid"] for token in await second.told()] == [sid(beside)]


async def test_a_client_that_revokes_a_token_itself_is_not_told_of_it(world: World) -> None:
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        given = {"token": user.tokens["refresh_token"], "client_id": user.client_id}
        revoked = await world.http.post("/oauth2/revoke", data=given)

        assert revoked.status_code == 200
        assert await user.is_dead()
        assert await notices(world, user.client_id) == []


async def test_a_client_that_does_not_want_to_know_is_not_told(world: World) -> None:
    async with signed_in(world) as user:
        await user.logout(id_token_hint=user.hint)

        assert await notices(world, user.client_id) == []
