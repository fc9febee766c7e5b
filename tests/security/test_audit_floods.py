"""Nobody fills the trail: each kind of event that somebody without an account can cause is limited, counted, or happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from caller import Caller
from hosted import Browser, Party
from world import PASSWORD, World

from idp.domain.accounts.mails import MOST_AN_HOUR
from idp.domain.audit.events import Counted, Event

# What keeps a kind from filling the trail.
COUNTED = "counted into a row a minute, or two seconds"
LOGIN, REGISTER, ADMIN = "limit LOGIN", "limit REGISTER", "limit ADMIN"
CAPPED = "mails of a kind to one address are capped"
ONCE = "once for each session, code or token that is held"
MAILED = "once for each token that was mailed to the owner"
MEMBER = "needs an account's session, or its password"
OPERATOR = "needs an administrator, the command line or a token of the operator"
SERVER = "tells of the server's own work or of other events, once for each"

KINDS = {
    "access_denied": ADMIN,
    "access_token_revoked": ONCE,
    "account_locked": LOGIN,
    "account_unlocked": MAILED,
    "audit_day_closed": SERVER,
    "audit_pruned": SERVER,
    "client_changed": OPERATOR,
    "client_signed_in": MEMBER,
    "code_reused": ONCE,
    "consent_granted": MEMBER,
    "consent_withdrawn": MEMBER,
    "damaged_password_hash": LOGIN,
    "email_change_requested": MEMBER,
    "email_changed": MAILED,
    "email_verified": MAILED,
    "forged_token_presented": COUNTED,
    "key_rotated": OPERATOR,
    "logout_notice_dropped": SERVER,
    "mail_dropped": SERVER,
    "many_accounts_from_one_address": SERVER,
    "many_addresses_for_one_account": SERVER,
    "password_changed": MEMBER,
    "password_rehashed": MEMBER,
    "password_reset": MAILED,
    "password_reset_requested": CAPPED,
    "password_reset_triggered": OPERATOR,
    "privilege_escalation_suspected": SERVER,
    "profile_changed": MEMBER,
    "reauthenticated": MEMBER,
    "refresh_token_of_another_client": COUNTED,
    "refresh_token_reused": ONCE,
    "registration_of_known_address": REGISTER,
    "roles_changed": OPERATOR,
    "session_revoked": ONCE,
    "sign_in_failed": LOGIN,
    "signed_in": MEMBER,
    "signed_out": ONCE,
    "stale_role_used": ADMIN,
    "tokens_refreshed": COUNTED,
    "user_created": OPERATOR,
    "user_deleted": MEMBER,
    "user_disabled": OPERATOR,
    "user_enabled": OPERATOR,
    "user_imported": OPERATOR,
    "user_registered": REGISTER,
    "user_updated": OPERATOR,
}


def kinds(of: type[Event] = Event) -> Iterator[type[Event]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_it_is_known_of_each_kind_what_keeps_it_from_filling_the_trail() -> None:
    """LG5: whoever adds a kind has to say it here, and floods it below if anybody can cause it."""
    named = {kind.name: kind for kind in kinds() if "name" in vars(kind)}

    assert named.keys() == KINDS.keys()
    assert {name for name, kind in named.items() if issubclass(kind, Counted)} == {
        name for name, bound in KINDS.items() if bound is COUNTED
    }


async def test_a_token_tried_by_another_client_at_every_door_is_one_row(world: World) -> None:
    """LG5: 400 times by who is nobody but the holder of the token, under the id of a public client that anybody can read."""
    owner, public = await world.client(), await world.client(public=True)
    tokens = await world.signed_in(owner)
    await world.services.session_service.watch.strangers.write()
    held, named = tokens.refresh_token, {"client_id": public.client_id}

    answers = await asyncio.gather(
        *(world.token(grant_type="refresh_token", refresh_token=held, **named) for _ in range(100)),
        *(world.http.post("/oauth2/revoke", data={"token": held, **named}) for _ in range(100)),
        *(world.post("/auth/refresh", refreshToken=held) for _ in range(100)),
        *(world.post("/auth/logout", refreshToken=held) for _ in range(100)),
    )

    assert {answer.status_code for answer in answers} == {400, 200, 401, 204}
    await world.services.session_service.watch.strangers.write()
    session = await world.session(tokens)
    events = await world.events("refresh_token_of_another_client", session_id=session["id"])
    assert sorted(event["detail"]["claimed_client_id"] for event in events) == sorted([public.client_id, "idp-rest"])
    assert [event["detail"]["count"] for event in events] == [200, 200]
    assert {(event["client_id"], event["address"], event["severity"]) for event in events} == {
        (owner.client_id, "127.0.0.1", "warning")
    }
    assert (await world.refresh(tokens)).status_code == 200


async def test_from_however_many_places_no_more_than_a_hundred_rows_wait(world: World) -> None:
    """LG5: the rest is one row that says how many."""
    strangers = world.services.session_service.watch.strangers
    await strangers.write()
    state = await world.services.sessions.find((await world.session(await world.signed_in()))["id"])
    assert state is not None

    for number in range(500):
        strangers.note(state.session, claimed_client_id=f"client-{number}")
    await strangers.write()

    named = await world.events("refresh_token_of_another_client", session_id=state.session.id)
    rest = [event for event in await world.events("refresh_token_of_another_client") if event["session_id"] is None]
    assert len(named) == 100
    assert [event["detail"] for event in rest] == [{"claimed_client_id": None, "count": 400}]
    assert rest[0]["address"] is None


# What is limited, from one address of its own.


async def failed(caller: Caller) -> None:
    """At every door, for other addresses each time."""
    for _ in range(10):
        await caller.login(caller.world.new_email())
        form = {
            "grant_type": "password",
            "client_id": "idp-rest",
            "username": caller.world.new_email(),
            "password": "x",
        }
        await caller.http.post("/oauth2/token", data=form, headers={"X-Forwarded-For": caller.address})


async def locked(caller: Caller) -> None:
    email = caller.world.new_email()
    for _ in range(30):
        await caller.login(email)
        await caller.time_passes(email, timedelta(seconds=8))


async def registered(caller: Caller) -> None:
    known = await caller.world.registered()
    for _ in range(10):
        await caller.post("/auth/register", email=caller.world.new_email(), password=PASSWORD, name="Ada")
        await caller.post("/auth/register", email=known, password=PASSWORD, name="Ada")


async def forgotten(caller: Caller) -> None:
    email = await caller.world.registered()
    for _ in range(30):
        answer = await caller.post("/auth/forgot-password", email=email)
        assert answer.status_code == 202
    await caller.world.mails(email)


async def denied(caller: Caller) -> None:
    tokens = await caller.world.signed_in()
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    await asyncio.gather(*(caller.get("/admin/users", **bearer) for _ in range(60)))


@pytest.mark.parametrize(
    ("flood", "names", "most"),
    [
        (failed, ("sign_in_failed",), 5),
        (locked, ("sign_in_failed", "account_locked"), 6),
        (registered, ("user_registered", "registration_of_known_address"), 3),
        (forgotten, ("password_reset_requested",), MOST_AN_HOUR),
        (denied, ("access_denied",), 50),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_anybody_can_cause_is_limited(
    caller: Caller, flood: Callable[[Caller], Awaitable[None]], names: Sequence[str], most: int
) -> None:
    """LG5: with the limits that are set unless the operator chooses others."""
    await flood(caller)

    rows = [await caller.world.events(name, address=caller.address) for name in names]
    assert 0 < sum(map(len, rows)) <= most


# What happens once.


async def test_what_is_held_ends_once_however_often_it_is_presented(world: World) -> None:
    """LG5: a code, a retired refresh token, an access token, a refresh token."""
    party = await Party.registered(world)
    async with Browser(world) as browser:
        code = (await browser.authorized(party, await world.registered()))["code"]
    assert (await party.redeem(code)).status_code == 200
    client = await world.client(public=True)
    retired = await world.signed_in(client)
    await world.refreshed(await world.refreshed(retired))
    given = await world.signed_in(client)
    since = await world.database.fetchval("SELECT clock_timestamp()")

    named = {"client_id": client.client_id}
    for _ in range(20):
        await party.redeem(code)
        await world.refresh(retired)
        await world.http.post("/oauth2/revoke", data={"token": given.access_token, **named})
        await world.http.post("/oauth2/revoke", data={"token": given.refresh_token, **named})

    rows = await world.database.fetch(
        "SELECT name, count(*) FROM audit.events WHERE at >= $1 AND client_id = ANY($2) GROUP BY name",
        since,
        [party.client.client_id, client.client_id],
    )
    assert {row["name"]: row["count"] for row in rows if row["name"] != "tokens_refreshed"} == {
        "code_reused": 1,
        "refresh_token_reused": 1,
        "access_token_revoked": 1,
        "session_revoked": 2,
    }
