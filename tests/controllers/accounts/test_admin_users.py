"""`/admin/users`: finding, inviting, changing and deleting accounts."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from world import PASSWORD, Tokens, World

from idp.domain.accounts.users import Role

LOCK = """
UPDATE sign_in_failures SET failures = 1000000, failed_at = now(), blocked_until = now() + interval '15 minutes'
WHERE user_id = $1
"""


async def listed(world: World, admin: Tokens, **query: Any) -> dict[str, Any]:
    answer = await world.call("GET", "/admin/users", admin, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def emails(body: dict[str, Any]) -> list[str]:
    return [user["email"] for user in body["users"]]


async def crowd(world: World, size: int) -> tuple[str, list[str]]:
    """So many users, oldest first, with a name that they alone share."""
    name = f"Crowd {secrets.token_hex(6)}"
    return name, [await world.registered(name=name) for _ in range(size)]


# Lists.


async def test_pages_hold_everybody_once_newest_first(world: World, admin: Tokens) -> None:
    name, made = await crowd(world, 5)

    found, query = [], {"search": name, "limit": 2}
    while True:
        page = await listed(world, admin, **query)
        found.append(emails(page))
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert found == [made[:2:-1], made[2:0:-1], made[:1]]
    assert page["total"] == 5


async def test_users_that_come_between_two_pages_shift_nobody(world: World, admin: Tokens) -> None:
    name, made = await crowd(world, 3)
    first = await listed(world, admin, search=name, limit=2)

    await world.registered(name=name)
    second = await listed(world, admin, search=name, limit=2, cursor=first["nextCursor"])

    assert emails(second) == [made[0]]


@pytest.mark.parametrize("spelling", [str.upper, str.lower])
async def test_a_search_finds_parts_of_address_and_name_in_any_case(world: World, admin: Tokens, spelling: Any) -> None:
    name, (email,) = await crowd(world, 1)

    for part in (name[3:], email[4:-4]):
        assert emails(await listed(world, admin, search=spelling(part))) == [email]


async def test_a_search_finds_hosts_in_both_forms_and_names_however_they_are_typed(world: World, admin: Tokens) -> None:
    """The stored form of a host is ASCII, and part of it has no ASCII form; names are stored composed (NFC)."""
    mark = secrets.token_hex(6)
    invitation = {"email": f"ada@bücher{mark}.example", "name": f"Zoë{mark}"}
    made = await world.call("POST", "/admin/users", admin, json=invitation)
    host = f"bücher{mark}.example"
    parts = (host, host.upper(), f"ücher{mark}", f"@{host}", host.encode("idna").decode(), f"Zoe\u0308{mark}")

    assert made.status_code == 201, made.text
    for part in parts:
        assert emails(await listed(world, admin, search=part)) == [invitation["email"]], part


async def test_filters_narrow_the_list_and_its_total(world: World, admin: Tokens) -> None:
    name, (first, second, third) = await crowd(world, 3)
    await world.services.user_administration.disable(first)
    await world.services.user_administration.set_roles(second, [Role.ADMIN])

    found = {
        "disabled": await listed(world, admin, search=name, status="disabled"),
        "admins": await listed(world, admin, search=name, role="ADMIN"),
        "active users": await listed(world, admin, search=name, status="active", role="USER"),
    }

    assert {kind: (emails(body), body["total"]) for kind, body in found.items()} == {
        "disabled": ([first], 1),
        "admins": ([second], 1),
        "active users": ([third], 1),
    }


# Invitations.


async def test_an_invited_user_sets_a_password_by_the_mail_and_signs_in(world: World, admin: Tokens) -> None:
    email = world.new_email()

    made = await world.call("POST", "/admin/users", admin, json={"email": email, "name": "Alan"})
    mail = await world.mail(email, "account")
    before = await world.post("/auth/login", email=email, password=PASSWORD)
    await world.post("/auth/reset-password", token=mail.token, newPassword=PASSWORD)

    assert made.status_code == 201
    assert (made.json()["user"]["roles"], made.json()["user"]["emailVerified"]) == (["USER"], False)
    assert before.status_code == 401
    assert (await world.post("/auth/login", email=email, password=PASSWORD)).json()["user"]["emailVerified"] is True


async def test_a_known_address_is_a_conflict_in_any_spelling(world: World, admin: Tokens, user: Tokens) -> None:
    answer = await world.call("POST", "/admin/users", admin, json={"email": user.email.upper(), "name": "Alan"})

    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_who_is_made_disabled_gets_no_mail(world: World, admin: Tokens) -> None:
    email = world.new_email()

    made = await world.call("POST", "/admin/users", admin, json={"email": email, "name": "Alan", "status": "disabled"})

    assert made.json()["user"]["status"] == "disabled"
    assert await world.mails(email) == []


# Reading and changing.


async def test_a_record_tells_what_the_user_is_not_told(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    await world.post("/auth/login", email=user.email, password="Wrong-Horse-7")

    seen = (await world.call("GET", path, admin)).json()["user"]

    assert (seen["status"], seen["failedAttempts"], seen["lockedUntil"], seen["activeSessions"]) == (
        "active",
        1,
        None,
        1,
    )
    assert seen["lastSignInAt"] is not None


async def test_a_change_touches_what_it_names_and_nothing_else(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    before = (await world.call("GET", path, admin)).json()["user"]

    after = (await world.call("PUT", path, admin, json={"name": "Renamed", "emailVerified": True})).json()["user"]

    changed = {member for member in before if before[member] != after[member]}
    assert changed == {"name", "emailVerified", "updatedAt"}
    assert (after["name"], after["emailVerified"]) == ("Renamed", True)


async def test_a_stale_version_changes_nothing(world: World, admin: Tokens, path: str) -> None:
    read = await world.call("GET", path, admin)
    if_match = {"If-Match": read.headers["etag"]}

    first = await world.call("PUT", path, admin, json={"name": "First"}, headers=if_match)
    second = await world.call("PUT", path, admin, json={"name": "Second"}, headers=if_match)

    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (412, "precondition_failed")
    again = await world.call("GET", path, admin)
    assert (again.json()["user"]["name"], again.headers["etag"]) == ("First", first.headers["etag"])


@pytest.mark.parametrize(
    ("header", "status"), [("*", 200), ('"x", {}', 200), ("W/{}", 412), ('"x"', 412), ("x", 412), ("", 412)]
)
async def test_if_match_is_read_as_the_standard_says(
    world: World, admin: Tokens, path: str, header: str, status: int
) -> None:
    version = (await world.call("GET", path, admin)).headers["etag"]

    answer = await world.call(
        "PUT", path, admin, json={"name": "Renamed"}, headers={"If-Match": header.format(version)}
    )

    assert answer.status_code == status


async def test_of_changes_at_once_with_one_version_one_wins(world: World, admin: Tokens, path: str) -> None:
    version = {"If-Match": (await world.call("GET", path, admin)).headers["etag"]}

    async def rename(number: int) -> int:
        answer = await world.call("PUT", path, admin, json={"name": f"Number {number}"}, headers=version)
        return answer.status_code

    assert sorted(await asyncio.gather(*map(rename, range(50)))) == [200] + [412] * 49


async def test_a_new_address_is_unproven_and_both_owners_are_told(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    await world.call("PUT", path, admin, json={"emailVerified": True})
    new = world.new_email()

    changed = (await world.call("PUT", path, admin, json={"email": new})).json()["user"]

    assert (changed["email"], changed["emailVerified"]) == (new, False)
    assert await world.mail(user.email, "address")
    verifying = await world.mail(new, "address")
    assert (await world.post("/auth/verify-email", token=verifying.token)).status_code == 204
    assert (await world.post("/auth/login", email=new, password=PASSWORD)).json()["user"]["emailVerified"] is True


async def test_an_address_of_somebody_else_is_a_conflict_and_changes_nothing(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    answer = await world.call("PUT", path, admin, json={"email": admin.email, "name": "Not Stored"})

    assert answer.status_code == 409
    assert (await world.call("GET", path, admin)).json()["user"]["name"] == "Ada"


async def test_a_link_to_the_old_address_is_dead_after_a_change(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    await world.post("/auth/forgot-password", email=user.email)
    link = await world.mail(user.email, "password")

    await world.call("PUT", path, admin, json={"email": world.new_email()})

    assert (await world.post("/auth/reset-password", token=link.token, newPassword="Other-Horse-8")).status_code == 400


async def test_disabling_ends_the_sessions_for_good(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    await world.call("PUT", path, admin, json={"status": "disabled"})
    refused = [(await world.profile(user.access_token)).status_code, (await world.refresh(user)).status_code]

    await world.call("PUT", path, admin, json={"status": "active"})

    assert refused == [401, 400]
    assert (await world.refresh(user)).json()["error"] == "invalid_grant"


async def test_deleting_takes_the_account_and_its_sessions_away(
    world: World, admin: Tokens, user: Tokens, path: str
) -> None:
    answer = await world.call("DELETE", path, admin)

    assert answer.status_code == 204
    assert (await world.profile(user.access_token)).status_code == 401
    assert (await world.refresh(user)).json()["error"] == "invalid_grant"
    assert [(await world.call(method, path, admin)).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert await world.mail(user.email, "deleted")


@pytest.mark.parametrize("email", ["{}@corp.local", "{}@localhost.test", "{}@mail.internal", "{}..@docomo.ne.jp"])
async def test_a_user_can_be_sent_back_as_it_was_read(world: World, admin: Tokens, email: str) -> None:
    """GET, then PUT of the same, is what forms of administration do; the host may be one of an intranet."""
    invitation = {"email": email.format(f"ü{uuid4().hex}"), "name": "王"}
    made = await world.call("POST", "/admin/users", admin, json=invitation)
    path = f"/admin/users/{made.json()['user']['id']}"
    read = (await world.call("GET", path, admin)).json()["user"]

    answer = await world.call("PUT", path, admin, json=read)

    assert answer.status_code == 200, answer.text
    assert {**answer.json()["user"], "updatedAt": read["updatedAt"]} == read


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"name": "A"}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["ROOT"]}, "roles.0"),
        ({"roles": "ADMIN"}, "roles"),
        ({"status": "locked"}, "status"),
        ({"emailVerified": "yes"}, "emailVerified"),
        ({"id": str(uuid4())}, "id"),
        ({"authEpoch": 7}, "authEpoch"),
    ],
)
async def test_faults_are_named(world: World, admin: Tokens, path: str, body: dict[str, Any], field: str) -> None:
    answer = await world.call("PUT", path, admin, json=body)

    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (400, [field])


# What else is done to a user.


async def test_unlocking_lets_the_owner_in_again(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    right, wrong = ({"email": user.email, "password": password} for password in (PASSWORD, "Wrong-Horse-7"))
    async with httpx.AsyncClient(base_url=world.settings.issuer, timeout=60, verify=False) as strange_device:
        await strange_device.post("/auth/login", json=wrong)
        await world.database.execute(LOCK, UUID(path.rpartition("/")[2]))
        locked = (await world.call("GET", path, admin)).json()["user"]
        refused = await strange_device.post("/auth/login", json=right)

        unlocked = await world.call("POST", f"{path}/unlock", admin)

        assert (refused.status_code, unlocked.status_code) == (429, 204)
        assert locked["lockedUntil"] is not None
        assert (await world.call("GET", path, admin)).json()["user"]["lockedUntil"] is None
        assert (await strange_device.post("/auth/login", json=right)).status_code == 200


async def test_a_reset_goes_to_the_owner_alone(world: World, admin: Tokens, user: Tokens, path: str) -> None:
    answer = await world.call("POST", f"{path}/password-reset", admin)
    mail = await world.mail(user.email, "password")

    assert (answer.status_code, answer.content) == (202, b"")
    assert (await world.post("/auth/reset-password", token=mail.token, newPassword="Other-Horse-8")).status_code == 204
    assert (await world.post("/auth/login", email=user.email, password="Other-Horse-8")).status_code == 200


async def test_a_disabled_user_gets_no_reset(world: World, admin: Tokens, path: str) -> None:
    await world.call("PUT", path, admin, json={"status": "disabled"})

    assert (await world.call("POST", f"{path}/password-reset", admin)).status_code == 409
