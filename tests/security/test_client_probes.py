"""Clients that try out how to authenticate, as Go's x/oauth2 does, and probes that must cost nobody else (LK15, CA15)."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from caller import Caller, refused
from hosted import CALLBACK, GRANTS, Browser, Party, answer_of
from world import PASSWORD, Registered

FORM = "application/x-www-form-urlencoded"


async def posted(caller: Caller, fields: dict[str, str], authorization: str | None = None) -> httpx.Response:
    """As Go writes it: url.Values.Encode() sorts by name."""
    headers = {"Content-Type": FORM, "X-Forwarded-For": caller.address, "User-Agent": "Go-http-client/1.1"}
    if authorization is not None:
        headers["Authorization"] = authorization
    return await caller.http.post("/oauth2/token", content=urlencode(sorted(fields.items())), headers=headers)


async def first_try(caller: Caller, client: Registered, fields: dict[str, str]) -> httpx.Response:
    """AuthStyleInHeader: `req.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientSecret))`, no client_id beside."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret or '')}"
    return await posted(caller, fields, "Basic " + base64.b64encode(pair.encode()).decode())


async def second_try(caller: Caller, client: Registered, fields: dict[str, str]) -> httpx.Response:
    """AuthStyleInParams: `client_id`, and `client_secret` unless it is empty."""
    secret = {"client_secret": client.secret} if client.secret else {}
    return await posted(caller, fields | {"client_id": client.client_id} | secret)


async def redeeming(caller: Caller, party: Party) -> dict[str, str]:
    """The fields of `Config.Exchange`, for a code that a user has just been given."""
    email = await caller.world.registered()
    async with Browser(caller.world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
    code = answer_of(page)["code"]
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": party.verifier,
    }


async def logins_left(caller: Caller) -> int:
    """Of those from this address, after one that fails now."""
    return int((await caller.login(caller.world.new_email())).headers["ratelimit-remaining"])


async def test_a_public_client_of_go_gets_its_tokens_at_the_first_try(caller: Caller) -> None:
    """CA15: a name with an empty secret is the method `none`."""
    party = await Party.registered(caller.world)
    fields = await redeeming(caller, party)

    answer = await first_try(caller, party.client, fields)

    assert (answer.status_code, "access_token" in answer.json()) == (200, True)
    assert await logins_left(caller) == 4


async def test_a_client_of_go_that_is_registered_for_post_gets_its_tokens_at_the_second_try(caller: Caller) -> None:
    """CA15, CA4: the first is refused, tells why, and costs neither the code nor anybody's attempts."""
    properties = {"auth_method": "client_secret_post", "grant_types": GRANTS, "redirect_uris": (CALLBACK,)}
    party = await Party.registered(caller.world, public=False, **properties)
    fields = await redeeming(caller, party)

    firsts = [await first_try(caller, party.client, fields) for _ in range(7)]
    second = await second_try(caller, party.client, fields)

    assert {answer.status_code for answer in firsts} == {401}
    assert {answer.json()["error"] for answer in firsts} == {"invalid_client"}
    assert "client_secret_post" in firsts[0].json()["error_description"]
    assert second.status_code == 200
    assert await logins_left(caller) == 4


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
@pytest.mark.parametrize("registered", ["client_secret_basic", "client_secret_post"])
async def test_only_who_has_the_secret_is_told_how_to_send_it(caller: Caller, path: str, registered: str) -> None:
    """CA15, CA13: everybody else is told what a stranger is told."""
    client = await caller.world.client(auth_method=registered)
    disabled = await caller.world.client(auth_method=registered, enabled=False)

    async def told(client_id: str, secret: str) -> str:
        sent: dict[str, object] = {"headers": {"X-Forwarded-For": caller.address}}
        fields = {"grant_type": "client_credentials", "token": "x"}
        if registered == "client_secret_basic":
            fields |= {"client_id": client_id, "client_secret": secret}
        else:
            sent["auth"] = httpx.BasicAuth(client_id, secret)
        answer = await caller.http.post(path, data=fields, **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        return str(answer.json()["error_description"])

    assert registered in await told(client.client_id, client.secret or "")
    strangers = [(client.client_id, "wrong"), (disabled.client_id, disabled.secret or ""), ("nobody", "wrong")]
    assert {await told(*it) for it in strangers} == {"Client authentication failed."}


async def test_a_confidential_client_without_its_secret_is_refused(caller: Caller) -> None:
    """CA6: an empty secret makes no public client of it."""
    client = await caller.world.client()

    answer = await first_try(caller, Registered(client.client_id, None), {"grant_type": "client_credentials"})

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_probes_of_a_client_lock_out_neither_users_nor_clients(caller: Caller) -> None:
    """LK15: they are limited by themselves."""
    client, other, email = await caller.world.client(), await caller.world.client(), await caller.world.registered()
    wrong = [await caller.token(client, secret=f"guess-{n}", grant_type="client_credentials") for n in range(7)]

    assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2
    assert refused(wrong[-1])
    assert (await caller.login(email, PASSWORD)).status_code == 200
    assert await logins_left(caller) == 3
    for known in (client, other):
        assert (await caller.token(known, grant_type="client_credentials")).status_code == 200


async def test_inventing_names_of_clients_gains_little(caller: Caller) -> None:
    """LK15: of any number from one address at most sixteen times as many are answered."""
    answers = await asyncio.gather(
        *(caller.token(Registered(f"invented-{n}", "x"), grant_type="client_credentials") for n in range(200))
    )

    counted = Counter(answer.status_code for answer in answers)
    assert set(counted) == {401, 429}
    assert counted[401] <= 16 * 5
