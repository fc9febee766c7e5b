"""`GET /admin/audit`: what happened, found again."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from world import PASSWORD, World

from idp.controllers.audit.admin_audit import json_lines
from idp.domain.audit.events import Occurrence, Origin, SignInFailed, TokensRefreshed, origin
from idp.domain.audit.trail import EventFilter, RecordedEvent
from idp.domain.errors import StoreUnavailable

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def asked(world: World, accept: str = "application/json", **parameters: Any) -> httpx.Response:
    admin = await world.admin()
    headers = {"Authorization": f"Bearer {admin.access_token}", "Accept": accept}
    return await world.http.get("/admin/audit", params=parameters, headers=headers)


async def found(world: World, **parameters: Any) -> list[dict[str, Any]]:
    answer = await asked(world, **parameters)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


async def recorded(world: World, count: int, **concerned: Any) -> UUID:
    """*count* events of one user, a minute apart, the last one at `AT`. The user's id."""
    user_id = uuid4()
    await world.services.events.record_all(
        [
            Occurrence(
                TokensRefreshed(user_id=user_id, count=count - place, **concerned),
                AT - timedelta(minutes=place),
                Origin(address="203.0.113.7", actor="cli:ada"),
            )
            for place in range(count)
        ]
    )
    return user_id


async def test_an_event_has_who_what_where_and_when(world: World) -> None:
    email = await world.registered()

    await world.http.post(
        "/auth/login",
        json={"email": email, "password": "Wrong-Horse-7"},
        headers={"X-Request-Id": (id_ := uuid4().hex)},
    )

    [user] = await world.database.fetch("SELECT id FROM users WHERE email = $1", email)
    [event] = await found(world, userId=str(user["id"]), name="sign_in_failed")
    assert UUID(event.pop("id")).version == 7
    assert datetime.now(UTC) - datetime.fromisoformat(event.pop("at")) < timedelta(minutes=1)
    assert len(event["detail"].pop("identifier")) == 16
    assert event == {
        "name": "sign_in_failed",
        "severity": "warning",
        "userId": str(user["id"]),
        "clientId": None,
        "sessionId": None,
        "actor": None,
        "address": "127.0.0.1",
        "requestId": id_,
        "detail": {"cause": "wrong_password", "device": "Python"},
    }


async def test_the_newest_comes_first_and_pages_hold_together(world: World) -> None:
    user_id = await recorded(world, 7)

    first = (await asked(world, userId=str(user_id), limit=3)).json()
    second = (await asked(world, userId=str(user_id), limit=3, cursor=first["nextCursor"])).json()
    third = (await asked(world, userId=str(user_id), limit=3, cursor=second["nextCursor"])).json()

    counts = [event["detail"]["count"] for page in (first, second, third) for event in page["events"]]
    assert counts == [7, 6, 5, 4, 3, 2, 1]
    assert third["nextCursor"] is None


async def test_events_of_one_instant_are_neither_repeated_nor_left_out(world: World) -> None:
    user_id = uuid4()
    batch = [Occurrence(TokensRefreshed(user_id=user_id, count=n), AT, Origin()) for n in range(10)]
    await world.services.events.record_all(batch)

    seen, cursor = [], {}
    for _ in range(4):
        page = (await asked(world, userId=str(user_id), limit=3, **cursor)).json()
        seen += [event["detail"]["count"] for event in page["events"]]
        cursor = {"cursor": page["nextCursor"]}

    assert sorted(seen) == list(range(10))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"name": "tokens_refreshed"}, 3),
        ({"name": "signed_in"}, 0),
        ({"severity": "info"}, 3),
        ({"severity": "error"}, 0),
        ({"clientId": "app"}, 3),
        ({"clientId": "other"}, 0),
        ({"actor": "cli:ada"}, 3),
        ({"actor": "cli"}, 0),
        ({"address": "203.0.113.7"}, 3),
        ({"address": "203.0.113.8"}, 0),
        ({"since": "2026-03-01T12:00:00Z"}, 1),
        ({"since": "2026-03-01T14:00:00+02:00"}, 1),
        ({"since": "2026-03-01T12:00:00.001Z"}, 0),
        ({"until": "2026-03-01T12:00:00Z"}, 2),
        ({"since": "2026-03-01T11:59:00Z", "until": "2026-03-01T12:00:00Z"}, 1),
    ],
    ids=str,
)
async def test_each_filter_leaves_out_what_does_not_match(world: World, wanted: dict[str, str], count: int) -> None:
    user_id = await recorded(world, 3, client_id="app")

    assert len(await found(world, userId=str(user_id), **wanted)) == count


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"name": "Signed In"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"severity": "fatal"}, "severity"),
        ({"userId": "me"}, "userId"),
        ({"clientId": "x" * 256}, "clientId"),
        ({"actor": "x" * 201}, "actor"),
        ({"address": "203.0.113"}, "address"),
        ({"since": "yesterday"}, "since"),
        ({"since": "1767225600"}, "since"),
        ({"since": "2026-03-01T12:00:00"}, "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "until"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cursor": "x" * 600}, "cursor"),
        ({"format": "xml"}, "format"),
        ({"user_id": "x"}, "user_id"),
    ],
    ids=str,
)
async def test_what_does_not_fit_is_named(world: World, parameters: dict[str, str], field: str) -> None:
    answer = await asked(world, **parameters)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


async def test_a_cursor_is_for_the_filters_that_it_was_made_for(world: World) -> None:
    user_id = await recorded(world, 3)
    page = (await asked(world, userId=str(user_id), limit=1)).json()

    answer = await asked(world, userId=str(uuid4()), cursor=page["nextCursor"])

    assert answer.status_code == 400


@pytest.mark.parametrize("way", [{"format": "jsonl"}, {"accept": "application/x-ndjson"}], ids=str)
async def test_all_that_matches_is_exported_as_json_lines(world: World, way: dict[str, str]) -> None:
    user_id = await recorded(world, 5)

    answer = await asked(world, userId=str(user_id), limit=2, **way)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["detail"]["count"] for line in answer.text.splitlines()] == [5, 4, 3, 2, 1]


async def test_an_export_longer_than_a_page_is_whole(world: World) -> None:
    client_id = secrets.token_hex(8)
    await asyncio.gather(*(recorded(world, 100, client_id=client_id) for _ in range(25)))

    lines = (await asked(world, clientId=client_id, format="jsonl")).text.splitlines()

    assert len({json.loads(line)["id"] for line in lines}) == 2500


async def test_an_export_with_nothing_in_it_is_empty(world: World) -> None:
    answer = await asked(world, userId=str(uuid4()), format="jsonl")

    assert (answer.status_code, answer.text) == (200, "")


async def test_an_export_that_cannot_go_on_says_so_in_its_last_line(world: World) -> None:
    user_id = await recorded(world, 3)
    whole = world.services.audit.every(EventFilter(user_id=user_id))

    async def broken() -> AsyncIterator[RecordedEvent]:
        yield await anext(whole)
        raise StoreUnavailable(reason="gone")

    lines = b"".join([piece async for piece in json_lines(await anext(whole), broken())]).splitlines()

    assert [json.loads(line).get("error") for line in lines] == [None, None, "unavailable"]


async def test_the_trail_shows_a_life_and_no_secret(world: World) -> None:
    """LG1, LG3, RF18: sign-in, failure, refresh, reuse and sign-out, each with who and from where."""
    client = await world.client()
    first = await world.signed_in(client)
    await world.post("/auth/login", email=first.email, password="Wrong-Horse-7")
    second = await world.refreshed(first)
    third = await world.refreshed(second)
    await world.refresh(first)
    await world.services.session_service.watch.refreshes.write()

    [user] = await world.database.fetch("SELECT id FROM users WHERE email = $1", first.email)
    answer = await asked(world, userId=str(user["id"]))

    events = answer.json()["events"]
    assert {event["name"] for event in events} >= {
        "user_registered",
        "signed_in",
        "sign_in_failed",
        "tokens_refreshed",
        "refresh_token_reused",
    }
    assert {event["address"] for event in events} == {"127.0.0.1"}
    assert all(event["requestId"] for event in events)
    for tokens in (first, second, third):
        for secret in (tokens.access_token, tokens.refresh_token, str(client.secret), PASSWORD, "Wrong-Horse-7"):
            assert secret not in answer.text
        assert str(world.family(tokens)) not in answer.text


async def test_who_did_it_to_another_is_the_actor(world: World) -> None:
    """AD11."""
    admin, email = await world.admin(), await world.registered()
    [user] = await world.database.fetch("SELECT id FROM users WHERE email = $1", email)
    [own] = await world.database.fetch("SELECT id FROM users WHERE email = $1", admin.email)
    headers = {"Authorization": f"Bearer {admin.access_token}"}

    await world.http.put(f"/admin/users/{user['id']}", json={"status": "disabled"}, headers=headers)

    [event] = await found(world, name="user_disabled", userId=str(user["id"]))
    assert event["actor"] == str(own["id"])
    assert event["detail"]["changes"]["status"] == ["active", "disabled"]


async def test_a_text_of_a_caller_stays_one_value_of_one_event(world: World) -> None:
    """LG2."""
    mark = secrets.token_hex(4)
    token = origin.set(Origin(actor=f'{mark}\r\n\x1b[2J","level":"x\u2028', address="203.0.113.9"))
    try:
        await world.services.events.record(SignInFailed(cause="test", client_id=mark))
    finally:
        origin.reset(token)

    answer = await asked(world, clientId=mark, format="jsonl")

    assert len(answer.content.split(b"\n")) == 2
    assert json.loads(answer.content)["actor"].startswith(mark)
