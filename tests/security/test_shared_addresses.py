"""Many people behind one address, and backends that call for all of their users (LK20 to LK22)."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from caller import WRONG, Caller, new_address, refused
from world import PASSWORD, Tokens

MOST = 5  # of API and LOGIN at the office's node


def left(answer: httpx.Response) -> int:
    return int(answer.headers["ratelimit-remaining"])


async def bearing(office: Caller, path: str, token: str) -> httpx.Response:
    return await office.get(path, Authorization=f"Bearer {token}")


async def people(office: Caller, count: int) -> list[Tokens]:
    client = await office.world.client()
    return [await office.world.signed_in(client) for _ in range(count)]


@pytest.mark.parametrize("path", ["/oauth2/userinfo", "/auth/sessions"])
async def test_calls_count_for_their_user_and_not_for_the_address(office: Caller, path: str) -> None:
    """LK20: one backend asks for all of its users."""
    users = [await office.world.signed_in() for _ in range(3)]
    statuses = [[(await bearing(office, path, it.access_token)).status_code for _ in range(MOST)] for it in users]

    assert statuses == [[200] * MOST] * 3
    for user in users:
        assert refused(await bearing(office, path, user.access_token))
    office.moves()
    assert refused(await bearing(office, path, users[0].access_token))


async def test_one_client_s_userinfo_leaves_another_s_alone(office: Caller) -> None:
    """LK20."""
    (tokens,) = await people(office, 1)
    other = await office.world.signed_in(await office.world.client(), tokens.email)
    for _ in range(MOST + 1):
        answer = await bearing(office, "/oauth2/userinfo", tokens.access_token)

    assert refused(answer)
    assert (await bearing(office, "/oauth2/userinfo", other.access_token)).status_code == 200


@pytest.mark.parametrize("path", ["/oauth2/userinfo", "/auth/sessions"])
async def test_refused_tokens_count_for_the_address_and_stop_no_good_one(office: Caller, path: str) -> None:
    """LK20."""
    user = await office.world.signed_in()
    wrong = [await bearing(office, path, f"{user.access_token}x") for _ in range(MOST + 1)]

    assert [answer.status_code for answer in wrong] == [401] * MOST + [429]
    assert (await bearing(office, path, user.access_token)).status_code == 200


async def test_sign_outs_of_many_users_come_from_one_address(office: Caller) -> None:
    """LK20: only tokens that stand for nothing count."""
    users = [await office.world.signed_in() for _ in range(MOST + 2)]
    ended = [await office.post("/auth/logout", refreshToken=user.refresh_token) for user in users]
    unknown = [await office.post("/auth/logout", refreshToken=users[0].refresh_token) for _ in range(MOST + 1)]

    assert {answer.status_code for answer in ended} == {204}
    assert [answer.status_code for answer in unknown] == [204] * MOST + [429]


async def test_sign_ins_that_succeed_do_not_count_in_an_office(office: Caller) -> None:
    """LK21: with IDP_LIMIT_LOGIN_COUNTS=failures, at REST and at the grant."""
    client, email = await office.world.client(), await office.world.registered()
    answers = [await office.login(email, PASSWORD) for _ in range(MOST + 2)]
    answers += [await office.grant(client, email, PASSWORD) for _ in range(MOST + 2)]

    assert {answer.status_code for answer in answers} == {200}
    assert {left(answer) for answer in answers} == {MOST}
    assert left(await office.login(office.world.new_email())) == MOST - 1


async def test_in_an_office_no_more_guesses_are_looked_at_than_before(office: Caller) -> None:
    """LK21, LK2: of 200 at once five, and then not even the right password."""
    email = await office.world.registered()
    answers = await asyncio.gather(*(office.login(office.world.new_email()) for _ in range(200)))

    assert Counter(answer.status_code for answer in answers) == {401: MOST, 429: 200 - MOST}
    assert refused(await office.login(email, PASSWORD))


async def test_a_whole_office_signs_in_at_the_same_moment(office: Caller) -> None:
    """LK21: those beyond the limit wait for the slots of those before them."""
    emails = [await office.world.registered() for _ in range(3 * MOST)]

    answers = await asyncio.gather(*(office.login(email, PASSWORD) for email in emails))

    assert {answer.status_code for answer in answers} == {200}


async def test_by_default_every_attempt_counts(caller: Caller) -> None:
    """LK5."""
    email = await caller.world.registered()
    answers = [await caller.login(email, PASSWORD) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]


async def test_a_confidential_client_s_grants_count_for_the_addresses_of_its_users(caller: Caller) -> None:
    """LK22: in the counter that those addresses have at every other door."""
    client, somebody = await caller.world.client(), new_address()
    spread = [await caller.grant(client, caller.world.new_email(), user_address=new_address()) for _ in range(MOST + 2)]
    same = [await caller.grant(client, caller.world.new_email(), user_address=somebody) for _ in range(MOST)]

    assert {answer.status_code for answer in spread} == {400}
    assert {answer.json()["error"] for answer in spread + same} == {"invalid_grant"}
    assert refused(await caller.grant(client, caller.world.new_email(), user_address=f"::ffff:{somebody}"))
    assert refused(await caller.login(caller.world.new_email(), **{"X-Forwarded-For": somebody}))
    assert left(await caller.login(caller.world.new_email())) == MOST - 1


async def test_nobody_else_chooses_where_guesses_count(caller: Caller) -> None:
    """LK22, LK6: neither a public client nor one without its secret nor a header."""
    public, confidential = await caller.world.client(public=True), await caller.world.client()
    answers = []
    for _ in range(MOST + 1):
        fields = {
            "grant_type": "password",
            "client_id": public.client_id,
            "username": caller.world.new_email(),
            "password": WRONG,
            "user_address": new_address(),
        }
        headers = {"X-Forwarded-For": caller.address, "User-Address": new_address()}
        answers.append(await caller.http.post("/oauth2/token", data=fields, headers=headers))
    caller.moves()
    untrue = await caller.token(
        confidential, secret="wrong", grant_type="password", username="x", password=WRONG, user_address=caller.address
    )

    assert [answer.status_code for answer in answers] == [400] * MOST + [429]
    assert untrue.status_code == 401
    assert left(await caller.login(caller.world.new_email())) == MOST - 1


@pytest.mark.parametrize("address", ["here", "10.0.0.0/8", "1.2.3", "::g", "10.0.0.1, 10.0.0.2"])
async def test_what_is_no_address_is_told_so(caller: Caller, address: str) -> None:
    """LK22."""
    answer = await caller.grant(await caller.world.client(), caller.world.new_email(), user_address=address)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "user_address" in answer.json()["error_description"]
