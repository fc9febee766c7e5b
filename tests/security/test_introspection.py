"""`POST /oauth2/introspect` (RFC 7662; catalogue group L)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from forger import forger_of
from token_state import INACTIVE, active, asked, both_active, introspect
from world import Registered, Tokens, World

from idp.domain.accounts.users import Role

API = "https://api.example"


@pytest.fixture
async def client(world: World) -> Registered:
    return await world.client()


@pytest.fixture
async def tokens(world: World, client: Registered) -> Tokens:
    return await world.signed_in(client)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def user_id(world: World, tokens: Tokens) -> str:
    return str((await world.session(tokens))["user_id"])


# What is told.


async def test_an_access_token_is_told_with_its_claims(world: World, client: Registered, tokens: Tokens) -> None:
    """RFC 7662, section 2.2."""
    found = await introspect(world, client, tokens.access_token)

    beside = {"active": True, "token_type": "Bearer", "username": tokens.email}
    assert found == claims_of(tokens.access_token) | beside


async def test_a_refresh_token_is_told_with_its_session(world: World, client: Registered, tokens: Tokens) -> None:
    session, claims = await world.session(tokens), claims_of(tokens.access_token)

    found = await introspect(world, client, tokens.refresh_token)

    assert abs(found.pop("iat") - time.time()) < 60
    assert found == {
        "active": True,
        "token_type": "refresh_token",
        "exp": int(session["expires_at"].timestamp()),
        "username": tokens.email,
        **{name: claims[name] for name in ("iss", "sub", "aud", "client_id", "scope", "sid", "auth_time", "roles")},
    }


async def test_a_client_s_own_token_has_no_user(world: World, client: Registered) -> None:
    token = (await world.token(client.auth, grant_type="client_credentials")).json()["access_token"]

    found = await introspect(world, client, token)

    assert found == claims_of(token) | {"active": True, "token_type": "Bearer"}
    assert not {"sid", "auth_time", "username"} & set(found)


async def test_roles_are_those_of_now(world: World, client: Registered, tokens: Tokens) -> None:
    await world.services.user_administration.set_roles(await user_id(world, tokens), [Role.USER, Role.ADMIN])

    for token in (tokens.access_token, tokens.refresh_token):
        assert (await introspect(world, client, token))["roles"] == ["USER", "ADMIN"]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", "é" * 500])
async def test_a_wrong_hint_does_not_matter(world: World, client: Registered, tokens: Tokens, hint: str) -> None:
    """IR5."""
    for token in (tokens.access_token, tokens.refresh_token):
        assert (await introspect(world, client, token, token_type_hint=hint))["active"] is True


async def test_asking_is_no_use_of_a_refresh_token(world: World, client: Registered, tokens: Tokens) -> None:
    before = await world.cache.hgetall(world.family_key(tokens))
    for _ in range(5):
        assert await both_active(world, client, tokens) == [True, True]

    assert await world.cache.hgetall(world.family_key(tokens)) == before
    assert (await world.refresh(tokens)).status_code == 200


async def test_a_used_refresh_token_is_inactive_and_asking_ends_nothing(
    world: World, client: Registered, tokens: Tokens
) -> None:
    """IR2: a resource server that asks about an old token is no thief."""
    newer = await world.refreshed(tokens)
    newest = await world.refreshed(newer)
    await world.services.sessions.raise_floors({world.family(tokens): 1})
    refresh_tokens = [it.refresh_token for it in (tokens, newer, newest)]

    assert await active(world, client, *refresh_tokens) == [False, False, True]
    assert (await world.refresh(newest)).status_code == 200
    assert (await world.session(tokens))["revoked_at"] is None


async def test_a_family_that_valkey_has_lost_is_still_active(world: World, client: Registered, tokens: Tokens) -> None:
    """It could be exchanged: the record lives."""
    await world.cache.delete(world.family_key(tokens))

    assert await both_active(world, client, tokens) == [True, True]


# Who may ask.


async def test_only_a_client_with_a_secret_may_ask(world: World, client: Registered, tokens: Tokens) -> None:
    """IR1: a public client's name proves nothing."""
    public = await world.client(public=True)
    callers = [Registered(client.client_id, "wrong"), Registered("nobody", "x"), Registered("idp-rest", None), public]
    answers = [await asked(world, "/oauth2/introspect", caller, tokens.access_token) for caller in callers]
    answers.append(await world.http.post("/oauth2/introspect", data={"token": tokens.access_token}))
    answers.append(await world.call("POST", "/oauth2/introspect", tokens, data={"token": tokens.access_token}))

    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(401, "invalid_client")}
    used_header = ["authorization" in answer.request.headers for answer in answers]
    assert ["www-authenticate" in answer.headers for answer in answers] == used_header


async def test_a_client_may_send_its_secret_in_the_form(world: World, client: Registered, tokens: Tokens) -> None:
    form = {"token": tokens.access_token, "client_id": client.client_id, "client_secret": client.secret or ""}

    answer = await world.http.post("/oauth2/introspect", data=form)

    assert (answer.status_code, answer.json()["active"]) == (200, True)


async def test_a_token_of_another_client_is_inactive(world: World, client: Registered, tokens: Tokens) -> None:
    """IR3, IR2; Gitea CVE-2026-58425: also for a client that names the issuer as its audience."""
    other = await world.client()
    sly = await world.client(audiences=(world.settings.issuer, API))

    for caller in (other, sly):
        assert await introspect(world, caller, tokens.access_token) == INACTIVE
        assert await introspect(world, caller, tokens.refresh_token) == INACTIVE


async def test_a_resource_server_sees_the_access_tokens_for_it_and_no_more(world: World, client: Registered) -> None:
    """IR3: without the address, and not the refresh token."""
    server, other = await world.client(audiences=(API,)), await world.client(audiences=("https://other.example",))
    tokens = await world.signed_in(client, resource=API)

    seen = await introspect(world, server, tokens.access_token)

    assert (seen["active"], seen["aud"], seen["client_id"]) == (True, API, client.client_id)
    assert "username" not in seen
    assert await introspect(world, server, tokens.refresh_token) == INACTIVE
    assert await introspect(world, other, tokens.access_token) == INACTIVE
    assert await both_active(world, client, tokens) == [True, True]


# What has ended.


async def disabled_user(world: World, client: Registered, tokens: Tokens) -> None:
    await world.services.user_administration.disable(await user_id(world, tokens))


async def removed_user(world: World, client: Registered, tokens: Tokens) -> None:
    await world.database.execute("DELETE FROM users WHERE email = $1", tokens.email)


async def signed_out(world: World, client: Registered, tokens: Tokens) -> None:
    await world.services.session_service.end(tokens.refresh_token, client.client_id)


async def signed_out_everywhere(world: World, client: Registered, tokens: Tokens) -> None:
    await world.services.session_service.end_all((await world.session(tokens))["user_id"])


async def newer_epoch(world: World, client: Registered, tokens: Tokens) -> None:
    await world.database.execute("UPDATE users SET auth_epoch = auth_epoch + 1 WHERE email = $1", tokens.email)


async def expired_session(world: World, client: Registered, tokens: Tokens) -> None:
    earlier = "created_at = created_at - interval '8 days', expires_at = expires_at - interval '8 days'"
    await world.database.execute(f"UPDATE sessions SET {earlier} WHERE family_id = $1", world.family(tokens))


async def stolen_token(world: World, client: Registered, tokens: Tokens) -> None:
    newer = await world.refreshed(tokens)
    await world.time_passes(tokens, timedelta(minutes=1))
    assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
    tokens.refresh_token = newer.refresh_token


ENDS = [
    disabled_user,
    removed_user,
    signed_out,
    signed_out_everywhere,
    newer_epoch,
    expired_session,
    stolen_token,
]


@pytest.mark.parametrize("end", ENDS)
async def test_what_has_ended_is_inactive_at_once(world: World, client: Registered, tokens: Tokens, end: Any) -> None:
    """IR4, IR2; Keycloak CVE-2026-8922, CVE-2026-18208."""
    assert await both_active(world, client, tokens) == [True, True]

    await end(world, client, tokens)

    assert await both_active(world, client, tokens) == [False, False]


@pytest.mark.parametrize("how", ["disabled", "removed"])
async def test_the_tokens_of_a_client_end_with_it(world: World, client: Registered, how: str) -> None:
    """IR4: also one of its own, which hangs on no session."""
    server = await world.client(audiences=(API,))
    own = (await world.token(client.auth, grant_type="client_credentials", resource=API)).json()["access_token"]
    user_s = (await world.signed_in(client, resource=API)).access_token
    assert await active(world, server, own, user_s) == [True, True]

    if how == "disabled":
        await world.changed_client(client, enabled=False)
    else:
        await world.services.clients.remove(client.client_id)

    assert await active(world, server, own, user_s) == [False, False]


async def test_an_access_token_ends_at_its_time(world: World, client: Registered, tokens: Tokens) -> None:
    """IR4: to the second. Whoever asks relies on this server's clock."""
    forger, now = await forger_of(world, tokens), int(time.time())

    tried = [forger.with_claims(exp=now + 60), forger.with_claims(exp=now - 1)]

    assert await active(world, client, *tried) == [True, False]


async def test_what_is_not_an_access_token_is_inactive(world: World, client: Registered, tokens: Tokens) -> None:
    """IR2, IR10."""
    forger = await forger_of(world, tokens)
    head, payload, signature = tokens.access_token.split(".")
    other = await forger_of(world, await world.signed_in(client))
    tried = [
        f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        f"{head}.{other.genuine.split('.')[1]}.{signature}",
        forger.signed(header=forger.header | {"typ": "JWT"}),
        forger.signed(key=forger.foreign_key),
        forger.under_hmac(b"secret"),
        forger.with_claims(iss="https://evil.example"),
        forger.with_claims(sub="00000000-0000-4000-8000-000000000000"),
        *(forger.with_claims(**{claim: None}) for claim in ("iss", "aud", "sub", "exp", "iat", "jti", "client_id")),
        *(forger.with_claims(jti=jti) for jti in (1, "", "a\0b", "x" * 65, ["x"])),
    ]

    assert await active(world, client, *tried) == [False] * len(tried)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "idp_rt_",
        "idp_rt_" + "A" * 104,
        "a.b.c",
        "." * 9000,
        "é",
        '"\\',
        " ",
        "\u2028",
        "e30.e30.e30",
        "x" * 60_000,
    ],
)
async def test_garbage_is_inactive(world: World, client: Registered, token: str) -> None:
    """IR10, IR2."""
    assert await introspect(world, client, token) == INACTIVE


async def test_what_is_no_text_or_too_much_is_refused(world: World, client: Registered) -> None:
    """IR10."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def sent(content: bytes) -> httpx.Response:
        return await world.http.post("/oauth2/introspect", content=content, headers=form, auth=client.auth)

    answers = [await sent(content) for content in (b"token=%00", b"token=%ff", b"token=" + b"x" * 70_000)]

    assert [answer.status_code for answer in answers] == [400, 400, 413]


async def test_a_limit_per_client_counts_its_questions(world: World, caller: Any) -> None:
    """Only where one is set: three a minute at that node."""
    client = await world.client()
    node = through(world, caller.http)

    answers = [await asked(node, "/oauth2/introspect", client, "x") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["error"] == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_guessing_a_secret_is_limited_here_too(world: World, caller: Any) -> None:
    """LK15."""
    client = await world.client()
    headers = {"X-Forwarded-For": caller.address}

    async def guess(path: str) -> int:
        wrong = httpx.BasicAuth(client.client_id, "wrong")
        return (await caller.http.post(path, data={"token": "x"}, auth=wrong, headers=headers)).status_code

    paths = ["/oauth2/introspect", "/oauth2/revoke"] * 3
    assert [await guess(path) for path in paths] == [401] * 5 + [429]


def through(world: World, http: httpx.AsyncClient) -> World:
    return World(http, world.services, world.settings, world.database, world.cache, world.tokens)
