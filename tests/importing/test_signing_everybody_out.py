"""`idp sessions revoke --all`."""

from __future__ import annotations

from program import Beside
from world import World


async def test_everybody_is_signed_out_everywhere_and_can_sign_in_again(program: Beside, world: World) -> None:
    users = [await world.signed_in(email=await world.registered()) for _ in range(3)]
    client = await world.client()
    at_client = await world.signed_in(client, email=users[0].email)

    asked = await program("sessions", "revoke", "--all", typed="n\n")
    still = await world.refresh(at_client)
    done = await program("sessions", "revoke", "--all", "--yes", "--format", "json")

    assert (asked.status, still.status_code) == (1, 200)
    assert done.json["revoked"] >= 4
    for tokens in (*users, at_client):
        assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
        assert (await world.profile(tokens.access_token)).status_code == 401
    assert (await world.refresh(await world.signed_in(email=users[0].email))).status_code == 200
    assert not await world.database.fetchval(
        "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND expires_at > now() AND client_id = $1",
        client.client_id,
    )


async def test_all_and_one_user_are_not_both_meant(program: Beside) -> None:
    assert (await program("sessions", "revoke", "--all", "--user", "ada@example.com", "--yes")).status == 2
