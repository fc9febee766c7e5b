"""Rotation, grace and reuse of refresh tokens, over HTTP (RFC 9700, section 4.14.2; catalogue group J)."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from world import Registered, Tokens, World

from idp.domain.accounts.users import Role
from idp.domain.tokens.refresh_tokens import RefreshTokenFormat
from idp.gateways import secret_keys

AFTER_GRACE = timedelta(seconds=11)
CODE_GONE = "The refresh token is invalid, expired, revoked or was issued to another client."


def refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 400, answer.text
    assert answer.json() == {"error": "invalid_grant", "error_description": CODE_GONE}
    return True


async def chain(world: World, first: Tokens, length: int) -> list[Tokens]:
    """*first* and its successors."""
    tokens = [first]
    for _ in range(length):
        tokens.append(await world.refreshed(tokens[-1]))
    return tokens


@pytest.fixture
async def client(world: World) -> Registered:
    return await world.client()


async def test_each_refresh_gives_another_token(world: World, client: Registered) -> None:
    """RF1."""
    tokens = await chain(world, await world.signed_in(client), 5)

    assert len({it.refresh_token for it in tokens}) == 6


async def test_a_lost_answer_can_be_asked_for_again(world: World, client: Registered) -> None:
    """RF5; django-oauth-toolkit #702: the predecessor gives the same successor, and that works."""
    first = await world.signed_in(client)

    answers = [await world.refreshed(first) for _ in range(3)]

    assert len({it.refresh_token for it in answers}) == 1
    assert (await world.refresh(answers[0])).status_code == 200


async def test_a_client_that_repeats_itself_now_and_then_is_no_thief(world: World, client: Registered) -> None:
    """RF6: only repetitions from elsewhere in generation after generation are."""
    tokens = await world.signed_in(client)

    for _ in range(6):
        await world.refreshed(tokens, agent="another")
        tokens = await world.refreshed(await world.refreshed(tokens))

    assert (await world.refresh(tokens)).status_code == 200


@pytest.mark.parametrize("age", [1, 2, 3, 8])
async def test_a_retired_token_of_any_age_ends_the_family(world: World, client: Registered, age: int) -> None:
    """RF2: in that very answer, durably."""
    tokens = await chain(world, await world.signed_in(client), age)
    await world.time_passes(tokens[-1], AFTER_GRACE)

    replay = await world.refresh(tokens[0])

    assert refused(replay)
    assert (await world.session(tokens[0]))["revoked_reason"] == "reuse"
    assert refused(await world.refresh(tokens[-1]))
    assert (await world.profile(tokens[-1].access_token)).status_code == 401


async def test_the_grace_is_for_the_direct_predecessor_only(world: World, client: Registered) -> None:
    """RF4; django-oauth-toolkit #1617: a token two generations old is reuse at once."""
    tokens = await chain(world, await world.signed_in(client), 2)

    assert refused(await world.refresh(tokens[0]))
    assert refused(await world.refresh(tokens[-1]))


async def test_reuse_ends_no_other_family_of_the_user(world: World, client: Registered) -> None:
    """RF2."""
    first = await world.signed_in(client)
    others = [await world.signed_in(client, first.email), await world.signed_in(email=first.email)]
    tokens = await chain(world, first, 2)

    assert refused(await world.refresh(tokens[0]))

    assert [(await world.refresh(other)).status_code for other in others] == [200, 200]


async def test_reuse_is_told_once(world: World, client: Registered) -> None:
    """RF18: one event however often the token comes back, with whom it concerns and from where."""
    tokens = await chain(world, await world.signed_in(client), 2)
    for _ in range(3):
        for one in tokens:
            assert refused(await world.refresh(tokens[0])) or one

    session = await world.session(tokens[0])
    events = await world.events("refresh_token_reused", session_id=session["id"])

    assert [(it["detail"], it["client_id"], it["severity"], it["address"]) for it in events] == [
        ({"reason": "reuse"}, client.client_id, "error", "127.0.0.1")
    ]


async def test_another_clients_token_is_refused_and_stays_good(world: World, client: Registered) -> None:
    """
    RF7, RF8; Zitadel CVE-2026-55672, Rauthy 0.36.1.

    Otherwise any client could end the sessions of every other. The trail has it.
    """
    tokens, thief = await world.signed_in(client), await world.client()

    answer = await world.token(thief.auth, grant_type="refresh_token", refresh_token=tokens.refresh_token)

    assert refused(answer)
    session = await world.session(tokens)
    await world.services.session_service.watch.strangers.write()
    events = await world.events("refresh_token_of_another_client", session_id=session["id"])
    assert [it["detail"] for it in events] == [{"claimed_client_id": thief.client_id, "count": 1}]
    assert (await world.refresh(tokens)).status_code == 200


async def test_another_clients_retired_token_ends_nothing_either(world: World, client: Registered) -> None:
    """RF7."""
    tokens, thief = await chain(world, await world.signed_in(client), 3), await world.client(public=True)

    answer = await world.token(
        grant_type="refresh_token", refresh_token=tokens[0].refresh_token, client_id=thief.client_id
    )

    assert refused(answer)
    assert (await world.refresh(tokens[-1])).status_code == 200


async def test_rest_refuses_a_token_of_another_client(world: World, client: Registered) -> None:
    """RF8."""
    tokens = await world.signed_in(client)

    refresh = await world.post("/auth/refresh", refreshToken=tokens.refresh_token)
    logout = await world.post("/auth/logout", refreshToken=tokens.refresh_token)

    assert (refresh.status_code, refresh.json()["error"], logout.status_code) == (401, "invalid_token", 204)
    assert (await world.refresh(tokens)).status_code == 200


async def test_a_disabled_user_is_out_at_the_next_refresh(world: World, client: Registered) -> None:
    """RF13, PW22; Keycloak CVE-2026-1609, Zitadel CVE-2024-47000. Enabled again, the old sessions stay ended."""
    tokens = await world.signed_in(client)
    user_id = (await world.session(tokens))["user_id"]

    await world.services.user_administration.disable(str(user_id))
    assert refused(await world.refresh(tokens))
    assert (await world.profile(tokens.access_token)).status_code == 401
    await world.services.user_administration.enable(str(user_id))

    assert refused(await world.refresh(tokens))


async def test_roles_do_not_end_a_session(world: World, client: Registered) -> None:
    tokens = await world.signed_in(client)

    await world.services.user_administration.set_roles(
        str((await world.session(tokens))["user_id"]), [Role.USER, Role.ADMIN]
    )

    assert (await world.refresh(tokens)).status_code == 200


async def test_logout_ends_the_session_and_can_be_repeated(world: World) -> None:
    """RF13: whichever token of the family it is given."""
    tokens = await chain(world, await world.signed_in(), 1)

    answers = [await world.post("/auth/logout", refreshToken=tokens[0].refresh_token) for _ in range(2)]

    assert [it.status_code for it in answers] == [204, 204]
    assert refused(await world.refresh(tokens[-1]))
    assert (await world.session(tokens[0]))["revoked_reason"] == "logout"
    assert (await world.profile(tokens[-1].access_token)).status_code == 401


async def test_logout_everywhere_ends_every_session_of_that_user_only(world: World, client: Registered) -> None:
    """RF13."""
    mine = [await world.signed_in()]
    mine += [await world.signed_in(client, mine[0].email), await world.signed_in(email=mine[0].email)]
    other = await world.signed_in(client)

    answer = await world.http.post("/auth/logout-all", headers={"Authorization": f"Bearer {mine[0].access_token}"})

    assert answer.status_code == 204
    assert all([refused(await world.refresh(tokens)) for tokens in mine])
    assert [(await world.profile(tokens.access_token)).status_code for tokens in mine] == [401, 401, 401]
    assert (await world.refresh(other)).status_code == 200


async def test_a_family_ends_at_its_absolute_lifetime(world: World, client: Registered) -> None:
    """RF9: refreshing does not prolong it."""
    tokens = await chain(world, await world.signed_in(client), 2)
    before = (await world.session(tokens[0]))["expires_at"]
    assert (await world.session(tokens[-1]))["expires_at"] == before

    await world.database.execute(
        "UPDATE sessions SET created_at = created_at - interval '8 days', expires_at = now() WHERE family_id = $1",
        world.family(tokens[0]),
    )

    assert refused(await world.refresh(tokens[-1]))


async def test_rotating_the_secret_signs_nobody_out(world: World, strict: World, client: Registered) -> None:
    """SC3: a node with the new secret before the old one takes the old tokens, and signs with the new one."""
    old = await world.signed_in(client)

    new = await strict.refreshed(old)
    newer = await strict.refreshed(new)

    assert world.tokens.read(new.refresh_token) is None
    assert refused(await world.refresh(newer))  # a node without the new secret; the family is unharmed
    assert (await strict.refresh(newer)).status_code == 200


async def test_a_token_of_a_secret_that_was_dropped_is_refused(world: World, client: Registered) -> None:
    tokens = await world.signed_in(client)
    dropped = RefreshTokenFormat(secret_keys.derived([b"another secret of more than 32 bytes"], "refresh tokens"))
    read = world.tokens.read(tokens.refresh_token)
    assert read is not None

    tokens.refresh_token, good = dropped.write(read), tokens.refresh_token

    assert refused(await world.refresh(tokens))
    tokens.refresh_token = good
    assert (await world.refresh(tokens)).status_code == 200


async def test_when_signing_fails_the_refresh_token_is_still_good(
    world: World, client: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 25: the access token is signed before anything is written."""
    tokens = await world.signed_in(client)
    rest = await world.signed_in()
    with monkeypatch.context() as broken:
        broken.setattr("idp.gateways.key_files.Signer.sign", lambda *_: 1 / 0)
        assert (await world.refresh(tokens)).status_code == 500
        assert (await world.post("/auth/refresh", refreshToken=rest.refresh_token)).status_code == 500

    for one in (tokens, rest):
        successor = await world.refreshed(one)
        await world.time_passes(successor, AFTER_GRACE)
        assert (await world.refresh(successor)).status_code == 200
