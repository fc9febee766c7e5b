"""`POST /oauth2/revoke` (RFC 7009; catalogue group L)."""

from __future__ import annotations

import asyncio

import jwt
import pytest
from token_state import active, both_active, revoke, revoked
from world import Registered, Tokens, World

CROWD = 50


@pytest.fixture(scope="module")
async def client(world: World) -> Registered:
    return await world.client()


@pytest.fixture
async def tokens(world: World, client: Registered) -> Tokens:
    return await world.signed_in(client)


async def test_an_access_token_ends_and_its_session_lives_on(world: World, client: Registered, tokens: Tokens) -> None:
    """IR6."""
    assert (await world.userinfo(tokens.access_token)).status_code == 200

    assert await revoked(world, client, tokens.access_token)

    assert (await world.userinfo(tokens.access_token)).status_code == 401
    assert await both_active(world, client, tokens) == [False, True]
    refreshed = await world.refreshed(tokens)
    assert (await world.userinfo(refreshed.access_token)).status_code == 200


async def test_a_refresh_token_takes_its_session_and_its_access_tokens_along(
    world: World, client: Registered, tokens: Tokens
) -> None:
    """IR6, RF13."""
    assert await revoked(world, client, tokens.refresh_token)

    assert (await world.userinfo(tokens.access_token)).status_code == 401
    assert await both_active(world, client, tokens) == [False, False]
    assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
    assert (await world.session(tokens))["revoked_reason"] == "token_revoked"


async def test_a_client_s_own_token_can_be_given_back(world: World, client: Registered) -> None:
    """IR6."""
    token = (await world.token(client.auth, grant_type="client_credentials")).json()["access_token"]

    assert await revoked(world, client, token)

    assert await active(world, client, token) == [False]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", "é"])
async def test_a_wrong_hint_does_not_matter(world: World, client: Registered, tokens: Tokens, hint: str) -> None:
    """IR5; trap 26: Authlib answers 401 to a hint that it does not know."""
    assert await revoked(world, client, tokens.access_token, token_type_hint=hint)
    assert await both_active(world, client, tokens) == [False, True]

    assert await revoked(world, client, tokens.refresh_token, token_type_hint=hint)
    assert await both_active(world, client, tokens) == [False, False]


async def test_revoking_again_is_no_error(world: World, client: Registered, tokens: Tokens) -> None:
    """IR6: and is told once."""
    for token in (tokens.access_token, tokens.refresh_token):
        assert [await revoked(world, client, token) for _ in range(3)] == [True] * 3

    session_id = (await world.session(tokens))["id"]
    for event in ("access_token_revoked", "session_revoked"):
        assert len(await world.events(event, session_id=session_id)) == 1


@pytest.mark.parametrize(
    "token", ["x", "idp_rt_", "idp_rt_" + "A" * 104, "a.b.c", "." * 9000, "é", '"\\', " ", "\u2028", "x" * 60_000]
)
async def test_what_is_no_token_is_answered_as_one_that_has_ended(world: World, client: Registered, token: str) -> None:
    """IR6, IR10."""
    assert await revoked(world, client, token)


async def test_nobody_ends_the_token_of_another_client(world: World, client: Registered, tokens: Tokens) -> None:
    """IR7: a public one does not either, and the attempt with a refresh token is told."""
    for other in (await world.client(), await world.client(public=True)):
        assert await revoked(world, other, tokens.access_token)
        assert await revoked(world, other, tokens.refresh_token)

    assert await both_active(world, client, tokens) == [True, True]
    assert (await world.userinfo(tokens.access_token)).status_code == 200
    session_id = (await world.session(tokens))["id"]
    await world.services.session_service.watch.strangers.write()
    assert len(await world.events("refresh_token_of_another_client", session_id=session_id)) == 2


async def test_a_public_client_gives_its_tokens_back_by_its_name(world: World) -> None:
    """RFC 7009, section 2.1."""
    public = await world.client(public=True)
    tokens = await world.signed_in(public)

    assert await revoked(world, public, tokens.access_token)
    assert (await world.userinfo(tokens.access_token)).status_code == 401
    assert await revoked(world, public, tokens.refresh_token)
    assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"


async def test_who_is_no_client_revokes_nothing(world: World, client: Registered, tokens: Tokens) -> None:
    """IR1."""
    strangers = [Registered(client.client_id, "wrong"), Registered(client.client_id, None), Registered("nobody", "x")]
    answers = [await revoke(world, stranger, tokens.access_token) for stranger in strangers]
    answers.append(await world.http.post("/oauth2/revoke", data={"token": tokens.access_token}))

    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(401, "invalid_client")}
    used_header = ["authorization" in answer.request.headers for answer in answers]
    assert ["www-authenticate" in answer.headers for answer in answers] == used_header
    assert await both_active(world, client, tokens) == [True, True]


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/introspect"])
async def test_a_token_is_demanded_once_and_in_the_body(
    world: World, client: Registered, tokens: Tokens, path: str
) -> None:
    """IR10, IR11."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        await world.http.post(path, data={}, auth=client.auth),
        await world.http.post(path, data={"token": ""}, auth=client.auth),
        await world.http.post(path, content="token=a&token=b", headers=form, auth=client.auth),
        await world.http.post(f"{path}?token=x", data={"token": "x"}, auth=client.auth),
        await world.http.post(path, json={"token": "x"}, auth=client.auth),
    ]

    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(400, "invalid_request")}
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/introspect"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_only_post_is_served(world: World, path: str, method: str) -> None:
    """IR11."""
    answer = await world.http.request(method, path)

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_once_a_revocation_has_returned_no_refresh_succeeds(
    world: World, client: Registered, tokens: Tokens
) -> None:
    """IR12, RF17: whichever of the racers won, what it won is dead."""
    racers = [asyncio.create_task(world.refresh(tokens)) for _ in range(CROWD)]
    await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)

    assert await revoked(world, client, tokens.refresh_token)
    late = await asyncio.gather(*(world.refresh(tokens) for _ in range(10)))
    answers = await asyncio.gather(*racers)

    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert won
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert {answer.json().get("error") for answer in late} == {"invalid_grant"}
    dead = [token for body in won for token in (body["access_token"], body["refresh_token"])]
    assert set(await active(world, client, *dead)) == {False}


async def test_of_many_that_revoke_at_once_each_is_told_that_it_is_done(
    world: World, client: Registered, tokens: Tokens
) -> None:
    assert await asyncio.gather(*(revoked(world, client, tokens.access_token) for _ in range(CROWD))) == [True] * CROWD

    session_id = (await world.session(tokens))["id"]
    assert len(await world.events("access_token_revoked", session_id=session_id)) == 1


async def test_a_revocation_here_is_one_at_another_node_at_once(world: World, strict: World) -> None:
    """IR9."""
    client = await world.client()
    tokens, other = await world.signed_in(client), await world.signed_in(client)
    assert await active(strict, client, tokens.access_token, other.refresh_token) == [True, True]

    assert await revoked(world, client, tokens.access_token)
    assert await revoked(world, client, other.refresh_token)

    assert await active(strict, client, tokens.access_token, other.refresh_token) == [False, False]
    assert (await strict.userinfo(tokens.access_token)).status_code == 401
    assert (await strict.refresh(other)).json()["error"] == "invalid_grant"


async def test_what_is_kept_of_a_revoked_token_is_no_more_than_its_id(
    world: World, client: Registered, tokens: Tokens
) -> None:
    """Until the token has expired, and not for ever."""
    claims = jwt.decode(tokens.access_token, options={"verify_signature": False})
    await revoked(world, client, tokens.access_token)

    row = await world.database.fetchrow("SELECT * FROM revoked_tokens WHERE jti = $1", claims["jti"])
    assert row is not None
    assert set(row.keys()) == {"jti", "expires_at"}
    assert 0 <= row["expires_at"].timestamp() - claims["exp"] <= 60


async def test_a_page_of_the_client_may_revoke_and_read_the_answer(world: World) -> None:
    """CO2, CO4."""
    page = "https://revoking.example"
    spa, other = await world.client(public=True, origins=(page,)), await world.client(public=True)
    asking = {"Origin": page, "Access-Control-Request-Method": "POST"}

    asked = await world.http.options("/oauth2/revoke", headers=asking)
    answers = [
        await world.http.post(
            "/oauth2/revoke", data={"token": "x", "client_id": it.client_id}, headers={"Origin": page}
        )
        for it in (spa, other)
    ]

    allowed = [answer.headers.get("access-control-allow-origin") for answer in (asked, *answers)]
    assert (allowed, asked.headers["access-control-allow-methods"]) == ([page, page, None], "POST")
    assert (await introspection_of_a_page(world, page)) is None
    await world.services.clients.remove(spa.client_id)


async def introspection_of_a_page(world: World, page: str) -> str | None:
    """Introspection is for servers."""
    client = await world.client(origins=(page,))
    answer = await world.http.post(
        "/oauth2/introspect", data={"token": "x"}, auth=client.auth, headers={"Origin": page}
    )
    await world.services.clients.remove(client.client_id)
    return answer.headers.get("access-control-allow-origin")
