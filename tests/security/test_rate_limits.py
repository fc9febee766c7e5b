"""Limits with their defaults, from outside (group LK)."""

from __future__ import annotations

import asyncio
from itertools import count

import httpx
import pytest
from caller import WRONG, Caller, refused
from world import PASSWORD

from idp.repositories.tokens.families import refreshes_key

PAGE = "https://app.example"


def left(answer: httpx.Response) -> tuple[int, int]:
    """The limit, and how many calls of it are left."""
    assert int(answer.headers["ratelimit-reset"]) > 0
    return int(answer.headers["ratelimit-limit"]), int(answer.headers["ratelimit-remaining"])


async def exhausted(caller: Caller) -> None:
    for _ in range(5):
        await caller.login(caller.world.new_email())


async def test_the_sixth_sign_in_from_one_address_is_refused_whoever_it_is_for(caller: Caller) -> None:
    """LK5, LK11: one password sprayed over many accounts."""
    answers = [await caller.login(caller.world.new_email()) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert [left(answer) for answer in answers] == [(5, 4), (5, 3), (5, 2), (5, 1), (5, 0), (5, 0)]
    assert refused(answers[-1])
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 15 * 60 + 60


async def test_of_fifty_sign_ins_at_once_from_one_address_five_are_looked_at(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.login(caller.world.new_email()) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 45


async def test_the_fourth_registration_from_one_address_is_refused(caller: Caller) -> None:
    """RG15."""
    answers = [
        await caller.post("/auth/register", email=caller.world.new_email(), password=PASSWORD, name="Ada")
        for _ in range(4)
    ]

    assert [answer.status_code for answer in answers] == [201] * 3 + [429]
    assert left(answers[0]) == (3, 2)
    assert refused(answers[-1])


async def test_another_address_has_limits_of_its_own(caller: Caller) -> None:
    await exhausted(caller)
    assert refused(await caller.login(caller.world.new_email()))

    caller.moves()

    assert (await caller.login(caller.world.new_email())).status_code == 401


async def test_rest_and_grant_share_one_limit_and_failed_clients_have_their_own(caller: Caller) -> None:
    """PW20, LK15."""
    client = await caller.world.client()
    answers = [
        await caller.login(caller.world.new_email()),
        await caller.token(client, secret="wrong", grant_type="client_credentials"),
        await caller.token(client, secret="wrong", grant_type="password", username="x", password=WRONG),
        await caller.grant(client, caller.world.new_email()),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 400]
    assert [left(answer)[1] for answer in answers] == [4, 4, 3, 3]


async def test_who_guesses_client_secrets_is_refused(caller: Caller) -> None:
    """LK15."""
    client = await caller.world.client()
    answers = [await caller.token(client, secret=f"guess-{n}", grant_type="client_credentials") for n in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert refused(answers[-1])


async def test_a_client_that_authenticates_is_not_refused_for_its_address(caller: Caller) -> None:
    client = await caller.world.client()
    await exhausted(caller)

    assert (await caller.token(client, grant_type="client_credentials")).status_code == 200


async def test_a_password_grant_is_refused_like_a_sign_in(caller: Caller) -> None:
    client, email = await caller.world.client(), await caller.world.registered()
    await exhausted(caller)

    answer = await caller.grant(client, email, PASSWORD)

    assert refused(answer)
    assert set(answer.json()) == {"error", "error_description"}


async def test_each_client_has_its_own_limit_where_one_is_set(caller: Caller) -> None:
    one, other = await caller.world.client(), await caller.world.client()
    answers = [await caller.token(one, grant_type="client_credentials") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert left(answers[0]) == (3, 2)
    assert refused(answers[-1])
    assert (await caller.token(other, grant_type="client_credentials")).status_code == 200


# Refreshes.


async def test_refreshes_are_counted_per_user_over_sessions_and_doors(caller: Caller) -> None:
    """The eleventh in a minute; the tokens that it was for are still good."""
    email, client = await caller.world.registered(), await caller.world.client(public=True)
    rest, other = await caller.world.signed_in(email=email), await caller.world.signed_in(client, email)
    answers = []
    for _ in range(5):
        at_rest = await caller.post("/auth/refresh", refreshToken=rest.refresh_token)
        at_endpoint = await refresh(caller, client.client_id, other.refresh_token)
        rest.refresh_token = at_rest.json()["refreshToken"]
        other.refresh_token = at_endpoint.json()["refresh_token"]
        answers += [at_rest, at_endpoint]

    assert [left(answer) for answer in answers] == [(10, 9 - n) for n in range(10)]
    assert refused(await caller.post("/auth/refresh", refreshToken=rest.refresh_token))
    assert refused(await refresh(caller, client.client_id, other.refresh_token))
    user_id = (await caller.world.session(rest))["user_id"]
    await caller.world.cache.delete(refreshes_key(user_id))
    assert (await caller.post("/auth/refresh", refreshToken=rest.refresh_token)).status_code == 200
    assert (await refresh(caller, client.client_id, other.refresh_token)).status_code == 200


async def refresh(caller: Caller, client_id: str, token: str) -> httpx.Response:
    fields = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    return await caller.http.post("/oauth2/token", data=fields, headers={"X-Forwarded-For": caller.address})


async def test_many_refreshes_at_once_are_ten_and_sign_nobody_out(caller: Caller) -> None:
    """DS9: a hot row."""
    email = await caller.world.registered()
    sessions = [await caller.world.signed_in(email=email) for _ in range(30)]

    answers = await asyncio.gather(
        *(caller.post("/auth/refresh", refreshToken=tokens.refresh_token) for tokens in sessions)
    )

    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 20
    user_id = (await caller.world.session(sessions[0]))["user_id"]
    assert await caller.world.events("refresh_token_reused", user_id=user_id) == []


async def test_an_answer_lost_at_the_limit_is_given_again(caller: Caller) -> None:
    """Told to wait, the client would come back after the grace, and be taken for a thief."""
    tokens = await caller.world.signed_in()
    given = tokens.refresh_token
    for _ in range(9):
        given = (await caller.post("/auth/refresh", refreshToken=given)).json()["refreshToken"]
    lost = (await caller.post("/auth/refresh", refreshToken=given)).json()["refreshToken"]

    again = await caller.post("/auth/refresh", refreshToken=given)

    assert again.json()["refreshToken"] == lost
    assert refused(await caller.post("/auth/refresh", refreshToken=given))
    assert refused(await caller.post("/auth/refresh", refreshToken=lost))


# Addresses.


async def test_what_a_caller_writes_of_its_own_address_changes_nothing(caller: Caller) -> None:
    """LK6, PX1, PX2: authentik CVE-2023-36456. Only what the trusted proxy has written, last, counts."""
    spoofed = count(1)
    answers = []
    for _ in range(6):
        fake = f"203.0.113.{next(spoofed)}"
        headers = {
            "X-Forwarded-For": f"{fake}, {caller.address}",
            "Forwarded": f"for={fake}",
            "X-Real-IP": fake,
            "X_Forwarded_For": fake,
            "Connection": "X-Forwarded-For",
        }
        answers.append(await caller.login(caller.world.new_email(), **headers))

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"2001:db8:{{}}::{n:x}" for n in range(1, 7)],
        [form for n in range(3) for form in ("198.19.{}", "::ffff:198.19.{}")],
        ["198.19.{}", "[::ffff:198.19.{}]:443", "198.19.{}:55", "::ffff:198.19.{}", "198.19.{}", "198.19.{}"],
    ],
    ids=["one /64", "v4 and v4-mapped", "with ports"],
)
async def test_addresses_that_one_caller_commands_are_limited_together(caller: Caller, addresses: list[str]) -> None:
    """LK7."""
    own = caller.address.removeprefix("198.18.")
    group = f"{int(own.replace('.', '')) % 65535:x}" if addresses[0].startswith("2001") else own
    answers = [
        await caller.login(caller.world.new_email(), **{"X-Forwarded-For": address.format(group)})
        for address in addresses
    ]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


# What is never limited.


@pytest.mark.parametrize(
    "path",
    ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/health", "/health/ready", "/openapi.json"],
)
async def test_what_everybody_reads_is_never_limited(caller: Caller, path: str) -> None:
    answers = await asyncio.gather(*(caller.get(path) for _ in range(120)))

    assert 429 not in {answer.status_code for answer in answers}
    assert not any(header.startswith("ratelimit") for answer in answers for header in answer.headers)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("text/plain", b"{}", 415),
        ("application/json", b"[" + b" " * 70_000, 413),
        ("application/json", b'{"a": 1, "a": 2}', 400),
    ],
    ids=["broken", "other type", "too large", "repeated"],
)
async def test_a_call_that_cannot_be_read_is_counted_and_told_so(
    caller: Caller, kind: str, body: bytes, status: int
) -> None:
    """LK11: every answer of a limited category has the headers, and rubbish uses the limit up like any other call."""
    headers = {"Content-Type": kind, "X-Forwarded-For": caller.address}
    answers = [await caller.http.post("/auth/register", content=body, headers=headers) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [status] * 3 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert (status == 413) == (answers[0].headers.get("connection") == "close")


async def test_a_preflight_is_not_counted(caller: Caller) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "X-Forwarded-For": caller.address}
    for _ in range(6):
        assert (await caller.http.options("/auth/login", headers=asked)).status_code == 204

    assert left(await caller.login(caller.world.new_email())) == (5, 4)


async def test_a_page_may_read_the_limits_and_its_device_token(caller: Caller) -> None:
    answer = await caller.login(caller.world.new_email(), Origin=PAGE)

    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"ratelimit-remaining", "retry-after", "device-token"} <= set(exposed)


async def test_the_rest_of_auth_has_a_limit_too(caller: Caller) -> None:
    answer = await caller.get("/auth/profile")

    assert answer.status_code == 401
    assert left(answer) == (100, 99)
