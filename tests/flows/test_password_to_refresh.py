"""From registering to refreshing, over HTTP on the real stores."""

from __future__ import annotations

from datetime import timedelta

from world import PASSWORD, World

GRACE = timedelta(seconds=11)


async def test_a_person_registers_signs_in_and_refreshes(world: World) -> None:
    email = await world.registered()

    first = await world.signed_in(email=email)
    answer = await world.post("/auth/refresh", refreshToken=first.refresh_token)

    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert answer.json()["refreshToken"] != first.refresh_token
    assert (await world.profile(answer.json()["accessToken"])).json()["user"]["email"] == email


async def test_a_token_from_one_door_refreshes_at_the_other(world: World) -> None:
    tokens = await world.signed_in()

    at_the_token_endpoint = await world.refreshed(tokens)
    over_rest = await world.post("/auth/refresh", refreshToken=at_the_token_endpoint.refresh_token)

    assert over_rest.status_code == 200


async def test_a_wrong_password_is_refused_at_both_doors(world: World) -> None:
    email, client = await world.registered(), await world.client()

    rest = await world.post("/auth/login", email=email, password=PASSWORD + "x")
    grant = await world.token(client.auth, grant_type="password", username=email, password=PASSWORD + "x")

    assert (rest.status_code, rest.json()["error"]) == (401, "invalid_credentials")
    assert (grant.status_code, grant.json()["error"]) == (400, "invalid_grant")


async def test_reusing_a_refresh_token_ends_the_family(world: World) -> None:
    first = await world.signed_in(await world.client())
    second = await world.refreshed(first)
    await world.time_passes(second, GRACE)

    replay = await world.refresh(first)

    assert replay.json()["error"] == "invalid_grant"
    assert (await world.refresh(second)).json()["error"] == "invalid_grant"
    assert (await world.session(first))["revoked_reason"] == "reuse"
