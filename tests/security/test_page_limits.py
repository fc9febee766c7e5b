"""The hosted page is one more door: the same limits and counters, and no answer that tells who has an account (LK, PW14, PW20)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from caller import WRONG, Caller
from hosted import Browser, Party, form_of
from leaving import signed_in
from world import PASSWORD, World

from idp.domain.sign_in.authorization import MOST_BYTES
from idp.domain.sign_in.browser_sessions import digest_of


class Visitor(Browser):
    """A browser in front of the node that limits, at the address of *caller*."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller.world)
        self.caller = caller
        self.http.base_url = httpx.URL(caller.node.url)

    async def sends(self, path: str, **fields: str) -> httpx.Response:
        self.http.headers["X-Forwarded-For"] = self.caller.address
        hidden = form_of(await self.get(path)).fields
        return await self.http.post(path, data=hidden | fields)

    async def logs_in(self, email: str, password: str = WRONG) -> httpx.Response:
        return await self.sends("/login", email=email, password=password)


@pytest.fixture
async def visitor(caller: Caller) -> AsyncIterator[Visitor]:
    async with Visitor(caller) as visitor:
        yield visitor


def waits(answer: httpx.Response) -> bool:
    """LK11: a page that says how long."""
    if answer.status_code != 429:
        return False
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert 'id="error"' in answer.text
    return True


async def test_the_page_and_rest_share_the_limit_of_an_address(caller: Caller, visitor: Visitor) -> None:
    """LK5, LK11, PW20; Keycloak CVE-2026-9798."""
    world = caller.world
    answers = [await visitor.logs_in(world.new_email()) for _ in range(3)]
    rest = [await caller.login(world.new_email()) for _ in range(2)]

    over = await visitor.logs_in(await world.registered(), PASSWORD)

    assert [it.status_code for it in answers] == [401] * 3
    assert [it.headers["ratelimit-remaining"] for it in [*answers, *rest]] == ["4", "3", "2", "1", "0"]
    assert waits(over)
    assert (await caller.login(world.new_email())).status_code == 429
    caller.moves()
    assert (await visitor.logs_in(await world.registered(), PASSWORD)).status_code == 303


async def test_a_form_without_token_costs_nothing_and_looks_at_no_password(caller: Caller, visitor: Visitor) -> None:
    """PW20, SE6: others can neither use up somebody's tries nor guess without asking for the page."""
    email = await caller.world.registered()
    for _ in range(7):
        answer = await visitor.http.post("/login", data={"email": email, "password": WRONG})
        assert answer.status_code == 403

    assert await caller.evaluated(email) == 0
    assert (await visitor.logs_in(email, PASSWORD)).status_code == 303


async def test_wrong_passwords_of_page_rest_and_grant_are_counted_together(caller: Caller, visitor: Visitor) -> None:
    """LK3, LK4, PW20; Keycloak CVE-2026-16103, Kratos CVE-2024-45042."""
    email, client = await caller.world.registered(), await caller.world.client()
    for number in range(5):
        caller.moves()
        match number % 3:
            case 0:
                answer = await visitor.logs_in(email.upper())
            case 1:
                answer = await caller.login(email)
            case _:
                answer = await caller.grant(client, email)
        assert answer.status_code in (400, 401), answer.text
        await caller.time_passes(email, timedelta(seconds=8))
    caller.moves()

    locked = await visitor.logs_in(email, PASSWORD)

    assert waits(locked)
    assert 14 * 60 < int(locked.headers["retry-after"]) <= 15 * 60
    assert not await caller.succeeds(email)
    assert await caller.evaluated(email) == 5


async def test_of_fifty_guesses_at_once_on_the_page_at_most_five_are_looked_at(caller: Caller) -> None:
    """LK2."""
    email = await caller.world.registered()
    async with Visitor(caller) as browser:
        fields = form_of(await browser.get("/login")).fields | {"email": email, "password": WRONG}

        async def guess(number: int) -> int:
            headers = {"X-Forwarded-For": f"198.19.{number}.1"}
            return (await browser.http.post("/login", data=fields, headers=headers)).status_code

        statuses = await asyncio.gather(*map(guess, range(50)))

    assert set(statuses) <= {401, 429}
    assert 1 <= statuses.count(401) <= 5
    assert await caller.evaluated(email) == statuses.count(401)


async def test_who_has_signed_in_here_before_is_not_locked_out(caller: Caller, visitor: Visitor) -> None:
    """LK8: by the cookie that the page has set."""
    email = await caller.world.registered()
    assert (await visitor.logs_in(email, PASSWORD)).status_code == 303
    await caller.locks(email)
    caller.moves()
    visitor.http.cookies.delete("idp-session")

    assert (await visitor.logs_in(email, PASSWORD)).status_code == 303
    async with Visitor(caller) as stranger:
        assert waits(await stranger.logs_in(email, PASSWORD))


async def test_a_password_on_an_account_page_is_counted_with_the_others(caller: Caller, visitor: Visitor) -> None:
    """LK3, PW20: whoever has the session cannot guess the password behind it."""
    email = await caller.world.registered()
    await visitor.logs_in(email, PASSWORD)
    statuses = []
    for path in ("/account/password", "/account/email", "/account/delete") * 2:
        answer = await visitor.sends(
            path, current_password=WRONG, new_password="Another-Horse-8", email="a@b.example", confirm="true"
        )
        statuses.append(answer.status_code)
        await caller.time_passes(email, timedelta(seconds=8))

    assert statuses[:5] == [400] * 5
    assert statuses[5] == 429


async def test_the_fourth_registration_on_the_page_waits(caller: Caller, visitor: Visitor) -> None:
    """RG15."""
    world = caller.world
    answers = [
        await visitor.sends("/register", name="Ada", email=world.new_email(), password=PASSWORD) for _ in range(4)
    ]

    assert [it.status_code for it in answers] == [200] * 3 + [429]
    assert waits(answers[-1])
    assert (
        await caller.post("/auth/register", email=world.new_email(), password=PASSWORD, name="Ada")
    ).status_code == 429


async def test_other_forms_count_as_calls_of_the_api(caller: Caller, visitor: Visitor) -> None:
    """RG15, LK14."""
    before = (await visitor.sends("/forgot-password", email=caller.world.new_email())).headers["ratelimit-remaining"]
    link = await visitor.get("/reset-password", params={"token": "x"})
    fields = form_of(link).fields | {"password": "Another-Horse-8"}
    reset = await visitor.http.post("/reset-password", data=fields)
    confirm = await visitor.sends("/verify-email", token="x")

    assert [before, reset.headers["ratelimit-remaining"], confirm.headers["ratelimit-remaining"]] == ["99", "98", "97"]
    for _ in range(97):
        last = await visitor.http.post("/verify-email", data=fields | {"token": "x"})
    assert last.status_code == 400
    assert waits(await visitor.sends("/forgot-password", email=caller.world.new_email()))


# What the answers tell.


def constant(page: httpx.Response, email: str) -> tuple[int, str, list[tuple[str, str]]]:
    """Without what is drawn for each page, and what was typed."""
    text = re.sub(r'(name="(?:csrf_token|request)" value=")[^"]*', r"\1", page.text.replace(email, ""))
    changing = {"date", "x-request-id", "content-length"} | {it for it in page.headers if it.startswith("ratelimit")}
    return page.status_code, text, [it for it in page.headers.items() if it[0] not in changing]


@pytest.mark.parametrize("of_a_client", [False, True])
async def test_unknown_wrong_disabled_and_damaged_look_alike(world: World, of_a_client: bool) -> None:
    """PW14, PW20, LK10; Zitadel CVE-2024-41952, authentik GO-2025-3822."""
    wrong, disabled, damaged, none = [await world.registered() for _ in range(4)]
    await world.services.user_administration.disable(
        str(await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", disabled))
    )
    await world.database.execute("UPDATE users SET password_hash = 'garbage' WHERE email_norm = $1", damaged)
    await world.database.execute("UPDATE users SET password_hash = NULL WHERE email_norm = $1", none)
    seen = []
    async with Browser(world) as browser:
        page = await browser.authorize(await Party.registered(world)) if of_a_client else await browser.get("/login")
        for email in (world.new_email(), wrong, disabled, damaged, none):
            password = PASSWORD if email in (disabled, damaged, none) else WRONG
            seen.append(constant(await browser.sign_in(page, email, password), email))

    assert seen[0][0] == 401
    assert all(it == seen[0] for it in seen)


async def test_locked_accounts_and_locked_strangers_look_alike(caller: Caller) -> None:
    """LK10, PW16."""
    seen = []
    for email in (await caller.world.registered(), caller.world.new_email()):
        await caller.locks(email)
        async with Visitor(caller) as visitor:
            caller.moves()
            status, text, headers = constant(await visitor.logs_in(email, PASSWORD), email)
            seen.append((status, text, [it for it in headers if it[0] != "retry-after"]))

    assert seen[0] == seen[1]
    assert seen[0][0] == 429


async def test_registering_and_forgetting_look_alike_for_every_address(world: World) -> None:
    """RG1, RG2."""
    known, unknown = await world.registered(), world.new_email()
    async with Browser(world) as browser:
        for path in ("/register", "/forgot-password"):
            page = await browser.get(path)
            answers = [
                constant(await browser.submit(page, name="Ada", email=email, password=PASSWORD), email)
                for email in (known, unknown)
            ]
            assert answers[0] == answers[1]
            assert answers[0][0] == 200


async def test_requests_that_have_to_be_kept_are_limited_and_those_of_who_is_signed_in_are_not(
    caller: Caller, visitor: Visitor
) -> None:
    """DS8: an anonymous flood of authorization requests does not fill the store."""
    party = await Party.registered(caller.world)
    await visitor.logs_in(await caller.world.registered(), PASSWORD)
    member = [await visitor.get("/oauth2/authorize", params=party.request()) for _ in range(12)]
    async with Visitor(caller) as stranger:
        stranger.http.headers["X-Forwarded-For"] = caller.address
        answers = [await stranger.get("/oauth2/authorize", params=party.request()) for _ in range(9)]
        posted = await stranger.http.post("/oauth2/authorize", data=party.request())

        over = await stranger.get("/oauth2/authorize", params=party.request())

    assert {it.status_code for it in [*member, *answers, posted]} == {303}
    assert waits(over)


async def test_who_is_signed_in_has_a_budget_for_what_is_kept(caller: Caller, visitor: Visitor) -> None:
    """DS10: anybody can register, and then have requests stored that wait for a page."""
    party = await Party.registered(caller.world)
    await visitor.logs_in(await caller.world.registered(), PASSWORD)

    answers = [await visitor.get("/oauth2/authorize", params=party.request(prompt="login")) for _ in range(11)]

    assert [it.status_code for it in answers[:10]] == [303] * 10
    assert waits(answers[10])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_bytes_that_are_kept_are_limited_beside_requests(caller: Caller, visitor: Visitor, method: str) -> None:
    """DS10: a budget of 1 KiB for each request that the limit allows, here 10 KiB a minute."""
    party = await Party.registered(caller.world)
    visitor.http.headers["X-Forwarded-For"] = caller.address

    async def asked() -> httpx.Response:
        fields = party.request(state="s" * 3500)
        given = {"params": fields} if method == "GET" else {"data": fields}
        return await visitor.http.request(method, "/oauth2/authorize", **given)

    answers = [await asked() for _ in range(3)]

    assert [it.status_code for it in answers[:2]] == [303, 303]
    assert waits(answers[2])


async def test_requests_to_sign_out_that_are_kept_are_limited(caller: Caller, visitor: Visitor) -> None:
    """DS10: by POST from anybody, by GET from who is signed in; each is kept for half an hour."""
    visitor.http.headers["X-Forwarded-For"] = caller.address
    posted = [await visitor.http.post("/oauth2/logout", data={"ui_locales": "en"}) for _ in range(11)]
    caller.moves()
    await visitor.logs_in(await caller.world.registered(), PASSWORD)
    queried = [await visitor.get("/oauth2/logout") for _ in range(11)]

    for answers in (posted, queried):
        assert [it.status_code for it in answers[:10]] == [303] * 10
        assert waits(answers[10])


async def test_requests_with_an_id_token_alone_are_limited_by_address(caller: Caller, visitor: Visitor) -> None:
    """DS10: each waits for who sits there to agree."""
    visitor.http.headers["X-Forwarded-For"] = caller.address
    async with signed_in(caller.world) as user:
        asked = [await visitor.get("/oauth2/logout", params={"id_token_hint": user.hint}) for _ in range(11)]

    assert [it.status_code for it in asked[:10]] == [303] * 10
    assert waits(asked[10])


@pytest.mark.parametrize(
    "given",
    [
        {"state": "s" * 4000, "nonce": "n" * 3900},
        {"state": "é" * 1000},
        {"state": "\U0001f600" * 600},
        {"state": '"' * 1800, "nonce": "\\" * 600},
        {"state": "\x01" * 1000, "nonce": "\x7f" * 1000},
        {"claims": '{"userinfo":{"name":{"values":[' + ",".join(["1e15"] * 600) + "]}}}"},
        {"login_hint": "h" * 300, "ui_locales": "x" * 4000},
        {},
    ],
)
async def test_what_is_kept_of_a_request_is_never_larger_than_8_kib(world: World, given: dict[str, str]) -> None:
    """DS10, AZ25: whatever letters it is made of; a larger one is refused and told to the client."""
    party = await Party.registered(world)
    answer = await world.http.get("/oauth2/authorize", params=party.request(**given))
    handle = dict(parse_qsl(urlsplit(answer.headers["location"]).query)).get("request")

    if handle is None:
        assert "error=invalid_request" in answer.headers["location"]
        return
    stored = await world.cache.get(f"ar:{digest_of(handle)}")
    assert stored is not None
    assert len(stored) <= MOST_BYTES
    kept = json.loads(stored)
    assert kept.keys() >= {"target", "scope"}
    # What has no value is not written down, but for the steps, which an earlier release looks for.
    assert [name for name in kept if kept[name] is None] == ["signed_in", "account_chosen", "consented"]


async def test_a_request_is_not_larger_than_what_is_worth_keeping(world: World) -> None:
    """AZ25, DS8."""
    party = await Party.registered(world)
    async with Browser(world) as browser:
        answer = await browser.authorize(party, state="s" * 4000, nonce="n" * 4000, login_hint="h" * 300)

    assert "error=invalid_request" in answer.headers["location"]
