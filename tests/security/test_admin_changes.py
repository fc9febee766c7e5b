"""What an administrator may see and change, and what the trail tells of it (group AD)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from world import PASSWORD, Tokens, World

from idp.app import quart_app
from idp.controllers.accounts.admin_user_shapes import AdminUser
from idp.controllers.accounts.rest_shapes import OwnUser
from idp.controllers.openapi.routes import routes_of


@pytest.fixture
async def admin(world: World) -> Tokens:
    return await world.admin()


@pytest.fixture
async def user(world: World) -> Tokens:
    return await world.signed_in()


def user_id(tokens: Tokens) -> UUID:
    return UUID(tokens.body["user"]["id"])


async def told(world: World, name: str, admin: Tokens, **concerned: Any) -> dict[str, Any]:
    """The detail of the one event of that name that *admin* caused."""
    (event,) = await world.events(name, actor=str(user_id(admin)), **concerned)
    assert event["request_id"] is not None
    detail: dict[str, Any] = event["detail"]
    return detail


# What is seen.


async def test_users_and_administrators_see_a_user_in_two_ways(world: World, admin: Tokens, user: Tokens) -> None:
    """S13: two serialisations; neither has what belongs to nobody."""
    own = (await world.profile(user.access_token)).json()["user"]
    seen = (await world.call("GET", f"/admin/users/{user_id(user)}", admin)).json()["user"]

    assert own.items() <= {**seen, "updatedAt": own["updatedAt"]}.items()
    assert seen.keys() - own.keys() == {"status", "lockedUntil", "failedAttempts", "lastSignInAt", "activeSessions"}
    assert not issubclass(AdminUser, OwnUser)


async def test_nothing_secret_is_in_any_answer(world: World, admin: Tokens, user: Tokens) -> None:
    """AD9: not in lists, not in records, not in the trail."""
    client = await world.client()
    await world.signed_in(client, user.email)
    hashes = await world.database.fetchval("SELECT password_hash FROM users WHERE id = $1", user_id(user))
    digests = await world.database.fetchval("SELECT secrets::text FROM clients WHERE client_id = $1", client.client_id)
    families = await world.database.fetch("SELECT family_id FROM sessions WHERE user_id = $1", user_id(user))
    readable = [route.path for route in routes_of(quart_app(world.services, world.settings)) if route.method == "GET"]
    paths = [
        path.replace("<uuid:user_id>", str(user_id(user))).replace("<anything:client_id>", client.client_id)
        for path in readable
        if path.startswith("/admin/")
    ]

    answers = [await world.call("GET", path, admin, params={"limit": 200} if path in LISTS else {}) for path in paths]

    text = "\n".join(answer.text for answer in answers)
    assert {answer.status_code for answer in answers} == {200}
    secret = [hashes, json.loads(digests)[0]["digest"], client.secret, *(str(row["family_id"]) for row in families)]
    assert not [it for it in secret if it and it in text]
    assert not any(word in text for word in ("passwordHash", "password_hash", "authEpoch", "familyId", "idp_rt_"))


LISTS = {"/admin/users", "/admin/sessions", "/admin/clients", "/admin/audit"}


# What is not given.


@pytest.mark.parametrize("member", ["password", "newPassword", "passwordHash", "password_hash"])
async def test_an_administrator_neither_sets_nor_learns_a_password(
    world: World, admin: Tokens, user: Tokens, member: str
) -> None:
    """AD7."""
    path, email = f"/admin/users/{user_id(user)}", world.new_email()

    answers = [
        await world.call("PUT", path, admin, json={member: "Chosen-Horse-7"}),
        await world.call("POST", "/admin/users", admin, json={"email": email, "name": "Alan", member: PASSWORD}),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, member)
    assert (await world.post("/auth/login", email=user.email, password=PASSWORD)).status_code == 200
    assert await world.database.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 0


@pytest.mark.parametrize("change", [{"roles": ["ADMIN"]}, {"status": "active"}, {"emailVerified": True}])
async def test_users_give_themselves_nothing(world: World, user: Tokens, change: dict[str, Any]) -> None:
    """AD4; Keycloak CVE-2026-94000: neither at their own door nor at the administrators'."""
    own = await world.call("PATCH", "/auth/profile", user, json={"name": "Ada", **change})
    registering = await world.post("/auth/register", email=world.new_email(), password=PASSWORD, name="Ada", **change)
    admins = await world.call("PUT", f"/admin/users/{user_id(user)}", user, json=change)

    assert [answer.status_code for answer in (own, registering, admins)] == [400, 400, 403]
    assert (await world.profile(user.access_token)).json()["user"]["roles"] == ["USER"]


# What a change does elsewhere.


async def test_a_session_that_is_ended_here_is_dead_at_every_node(
    world: World, strict: World, admin: Tokens, user: Tokens
) -> None:
    """SE15, PW22: nothing remembers that it lived."""
    other = await world.signed_in(email=user.email)
    assert (await strict.profile(user.access_token)).status_code == 200

    await world.call("DELETE", f"/admin/users/{user_id(user)}/sessions/{(await world.session(user))['id']}", admin)

    assert [(await strict.profile(it.access_token)).status_code for it in (user, other)] == [401, 200]
    assert (await strict.refresh(user)).json()["error"] == "invalid_grant"


# What the trail tells. AD11: who, what, before and after.


async def test_an_invitation_is_told(world: World, admin: Tokens) -> None:
    """AD11."""
    made = await world.call("POST", "/admin/users", admin, json={"email": world.new_email(), "name": "Alan"})

    changes = (await told(world, "user_created", admin))["changes"]
    assert (changes["name"], changes["roles"]) == ([None, "Alan"], [None, ["USER"]])
    assert changes["email"] == [None, made.json()["user"]["email"]]


async def test_every_change_of_a_user_is_told_with_before_and_after(world: World, admin: Tokens, user: Tokens) -> None:
    """AD11."""
    new, concerned = world.new_email(), {"user_id": user_id(user)}
    change = {"email": new, "name": "Renamed", "roles": ["USER", "ADMIN"], "status": "disabled"}

    await world.call("PUT", f"/admin/users/{user_id(user)}", admin, json=change)

    assert (await told(world, "user_disabled", admin, **concerned))["changes"] == {"status": ["active", "disabled"]}
    assert (await told(world, "roles_changed", admin, **concerned))["changes"] == {
        "roles": [["USER"], ["USER", "ADMIN"]]
    }
    assert (await told(world, "user_updated", admin, **concerned))["changes"] == {
        "email": [user.email, new],
        "name": ["Ada", "Renamed"],
    }


async def test_a_change_of_nothing_is_no_event(world: World, admin: Tokens, user: Tokens) -> None:
    path = f"/admin/users/{user_id(user)}"
    before = await world.call("GET", path, admin)

    after = await world.call("PUT", path, admin, json={"name": "Ada", "roles": ["USER"], "status": "active"})

    assert after.json()["user"]["updatedAt"] == before.json()["user"]["updatedAt"]
    assert await world.events("user_updated", user_id=user_id(user)) == []
    assert await world.events("user_enabled", user_id=user_id(user)) == []


async def test_deleting_ending_sessions_and_resets_are_told(world: World, admin: Tokens, user: Tokens) -> None:
    """AD11."""
    path, concerned = f"/admin/users/{user_id(user)}", {"user_id": user_id(user)}

    await world.call("POST", f"{path}/password-reset", admin)
    await world.call("DELETE", f"{path}/sessions", admin)
    await world.call("DELETE", path, admin)

    assert await told(world, "password_reset_triggered", admin, **concerned) == {}
    assert await told(world, "session_revoked", admin, **concerned) == {"reason": "admin"}
    assert (await told(world, "user_deleted", admin, **concerned))["changes"]["email"] == [user.email, None]


async def test_forgetting_failures_that_were_no_lock_yet_is_told(world: World, admin: Tokens, user: Tokens) -> None:
    """AD11: it gives who guesses more attempts."""
    user_id = user.body["user"]["id"]
    await world.post("/auth/login", email=user.email, password="Wrong-Horse-7")

    for _ in range(2):
        assert (await world.call("POST", f"/admin/users/{user_id}/unlock", admin)).status_code == 204

    (event,) = await world.events("account_unlocked", user_id=user_id)
    assert (event["actor"], event["detail"]["locked"]) == (admin.body["user"]["id"], False)


async def test_every_change_of_a_client_is_told_without_its_secrets(world: World, admin: Tokens) -> None:
    """AD11."""
    made = await world.call("POST", "/admin/clients", admin, json={"name": "A", "grantTypes": ["client_credentials"]})
    client_id = made.json()["clientId"]
    path = f"/admin/clients/{client_id}"
    await world.call("PUT", path, admin, json={"name": "B", "scope": "openid"})
    rotated = await world.call("POST", f"{path}/secret", admin)
    await world.call("DELETE", path, admin)

    events = await world.events("client_changed", client_id=client_id)

    details = [event["detail"] for event in events]
    assert [detail["change"] for detail in details] == ["created", "updated", "secret_rotated", "deleted"]
    assert {event["actor"] for event in events} == {str(user_id(admin))}
    assert details[1]["changes"] == {"name": ["A", "B"], "scope": ["openid profile email offline_access", "openid"]}
    assert details[2]["changes"] == {"clientSecret": ["(hidden)", "(hidden)"]}
    assert not any(it.json()["clientSecret"] in json.dumps(details) for it in (made, rotated))


async def test_a_change_that_is_refused_is_not_told(world: World, admin: Tokens, user: Tokens) -> None:
    """The event is written with the change or not at all."""
    answers = await asyncio.gather(
        *(world.call("PUT", f"/admin/users/{user_id(user)}", admin, json={"email": admin.email}) for _ in range(5))
    )

    assert {answer.status_code for answer in answers} == {409}
    assert await world.events("user_updated", user_id=user_id(user)) == []
