"""With IDP_VERIFIED_EMAIL_REQUIRED no door leads to a client before the address is verified (PW27)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
from hosted import Browser, Party, answer_of
from world import PASSWORD, Registered, Tokens, World

WRONG = "Wrong-Horse-7"
WHAT_TO_DO = "Follow the link in the latest mail"


async def verified(world: World, email: str, *, now: bool = True) -> None:
    await world.database.execute("UPDATE users SET email_verified = $2 WHERE email_norm = $1", email, now)


def told(answer: httpx.Response, error: str, status: int) -> bool:
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), answer.text
    assert WHAT_TO_DO in body.get("detail", body.get("error_description", ""))
    assert "device-token" not in answer.headers
    return True


Door = Callable[[World, Registered, str, str], Awaitable[httpx.Response]]


async def by_rest(world: World, _: Registered, email: str, password: str) -> httpx.Response:
    return await world.post("/auth/login", email=email, password=password)


async def by_grant(world: World, client: Registered, email: str, password: str) -> httpx.Response:
    return await world.token(client.auth, grant_type="password", username=email, password=password)


@pytest.mark.parametrize(
    ("door", "error", "status"),
    [(by_rest, "email_not_verified", 403), (by_grant, "invalid_grant", 400)],
    ids=["rest", "grant"],
)
async def test_who_has_proved_the_password_is_told_to_verify_the_address(
    careful: World, door: Door, error: str, status: int
) -> None:
    """PW27; the mail goes out again, since who is not let in cannot ask for it."""
    client, email = await careful.client(), await careful.registered()
    before = len([mail for mail in await careful.mails(email) if "Verify" in mail.subject])

    answer = await door(careful, client, email, PASSWORD)

    assert told(answer, error, status)
    sent = [mail for mail in await careful.mails(email) if "Verify" in mail.subject]
    assert len(sent) == before + 1
    assert (await careful.post("/auth/verify-email", token=sent[-1].token)).status_code == 204
    assert (await door(careful, client, email, PASSWORD)).status_code == 200


@pytest.mark.parametrize("door", [by_rest, by_grant], ids=["rest", "grant"])
async def test_who_has_not_proved_the_password_learns_nothing(careful: World, door: Door) -> None:
    """PW27, PW14: an unverified address, a verified one and an unknown one look alike."""
    client, unverified, known = await careful.client(), await careful.registered(), await careful.registered()
    await verified(careful, known)

    answers = [await door(careful, client, email, WRONG) for email in (unverified, known, careful.new_email())]

    bodies = [{name: it for name, it in answer.json().items() if name != "requestId"} for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]
    assert WHAT_TO_DO not in answers[0].text
    assert len({answer.status_code for answer in answers}) == 1


@pytest.mark.parametrize("rest", [True, False], ids=["rest", "token endpoint"])
async def test_a_session_of_before_gets_no_tokens_until_the_address_is_verified(careful: World, rest: bool) -> None:
    """PW27: at both doors that refresh, and the refresh token stays good."""
    email = await careful.registered()
    await verified(careful, email)
    tokens = await careful.signed_in(None if rest else await careful.client(), email)
    await verified(careful, email, now=False)

    refused = await refreshed(careful, tokens, rest=rest)

    assert told(refused, *(("email_not_verified", 403) if rest else ("invalid_grant", 400)))
    await verified(careful, email)
    assert (await refreshed(careful, tokens, rest=rest)).status_code == 200


async def refreshed(world: World, tokens: Tokens, *, rest: bool) -> httpx.Response:
    if rest:
        return await world.post("/auth/refresh", refreshToken=tokens.refresh_token)
    return await world.refresh(tokens)


async def test_a_browser_is_asked_to_verify_before_it_goes_on(careful: World) -> None:
    """PW27: with an existing session too, without a page the client is told so, and a code of before is worth nothing."""
    party, email = await Party.registered(careful), await careful.registered()
    async with Browser(careful) as browser:
        await browser.signed_in(email)
        asked = await browser.authorize(party)
        silent = answer_of(await browser.authorize(party, prompt="none"))
        await verified(careful, email)
        code = answer_of(await browser.authorize(party))["code"]
        await verified(careful, email, now=False)
        late = await party.redeem(code)

    assert "/verify-email" in str(asked.url)
    assert silent["error"] == "interaction_required"
    assert told(late, "invalid_grant", 400)
