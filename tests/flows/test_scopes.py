"""Scope at the token endpoint (RFC 6749, sections 3.3 and 6; RF14, TE16)."""

from __future__ import annotations

import pytest
from world import SCOPE, World


async def test_asked_for_nothing_a_client_gets_all_it_may_have(world: World) -> None:
    tokens = await world.signed_in(await world.client())

    assert tokens.body["scope"] == SCOPE


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("email", "email"),
        ("email openid", "openid email"),
        ("openid  openid", "openid"),
        (" email ", "email"),
    ],
)
async def test_less_can_be_asked_for(world: World, asked: str, granted: str) -> None:
    """The answer says what was granted."""
    tokens = await world.signed_in(await world.client(), scope=asked)

    assert tokens.body["scope"] == granted


@pytest.mark.parametrize(
    "scope",
    ["admin", "openid admin", "OPENID", "openid,email", "openid\u00a0email", "\u2028", "openid\temail", '"', "é"],
)
@pytest.mark.parametrize("grant_type", ["client_credentials", "refresh_token"])
async def test_what_the_client_may_not_have_is_an_invalid_scope(world: World, grant_type: str, scope: str) -> None:
    """TE16; authentik CVE-2024-52287. Trap 6. Nothing is dropped in silence."""
    client = await world.client()
    tokens = await world.signed_in(client)

    answer = await world.token(client.auth, grant_type=grant_type, scope=scope, refresh_token=tokens.refresh_token)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert (await world.refresh(tokens)).status_code == 200


async def test_a_password_for_too_wide_a_scope_starts_no_session(world: World) -> None:
    client, email = await world.client(), await world.registered()

    answer = await world.token(
        client.auth, grant_type="password", username=email, password="Correct-Horse-7", scope="admin"
    )

    assert answer.json()["error"] == "invalid_scope"
    assert await world.database.fetchval("SELECT count(*) FROM sessions WHERE client_id = $1", client.client_id) == 0


async def test_a_narrow_refresh_leaves_the_family_its_scope(world: World) -> None:
    """RF14. Trap 9: stock Authlib gives the successor the narrow scope."""
    tokens = await world.signed_in(await world.client())

    narrow = await world.refreshed(tokens, scope="openid")
    wide = await world.refreshed(narrow)

    assert (narrow.body["scope"], wide.body["scope"]) == ("openid", SCOPE)


async def test_a_refresh_never_widens_what_was_granted(world: World) -> None:
    """TE16, RF14: also when the client may have more."""
    tokens = await world.signed_in(await world.client(), scope="openid email")

    wider = await world.refresh(tokens, scope="openid email profile")

    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert (await world.refreshed(tokens)).body["scope"] == "openid email"


async def test_a_scope_taken_from_the_client_is_gone_at_the_next_refresh(world: World) -> None:
    """RF14; Rauthy 0.36.1, scope confusion at refresh."""
    client = await world.client()
    tokens = await world.signed_in(client)

    await world.changed_client(client, scope="openid email")
    reduced = await world.refreshed(tokens)
    gone = await world.refresh(reduced, scope="profile")

    assert reduced.body["scope"] == "openid email"
    assert gone.json()["error"] == "invalid_scope"


async def test_a_scope_given_to_the_client_later_reaches_no_old_family(world: World) -> None:
    client = await world.client(scope="openid")
    tokens = await world.signed_in(client)

    await world.changed_client(client, scope=SCOPE)

    assert (await world.refreshed(tokens)).body["scope"] == "openid"
