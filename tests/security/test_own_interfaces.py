"""Which clients' access tokens open /auth and /admin: every route of both, with tokens of every other kind (group AD)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from caller import Caller
from hosted import Browser, Party, answer_of, claims_of
from registrations import WEB, Door
from world import PASSWORD, SCOPE, Registered, Tokens, World

from idp.app import quart_app
from idp.controllers.openapi.routes import routes_of
from idp.domain.clients.clients import digest_of_secret
from idp.domain.tokens.scopes import ACCOUNT, ADMIN

BOTH = f"{SCOPE} {ACCOUNT} {ADMIN}"
API = "https://api.example"
VARIABLE = re.compile(r"<(?:(\w+):)?\w+>")

Routes = dict[str, set[tuple[str, str]]]
Made = Callable[[World, str], Awaitable[str]]


@pytest.fixture(scope="module")
def routes(world: World) -> Routes:
    """By scope, every route that takes a user's token, with something in place of each variable."""
    found: Routes = {ACCOUNT: set(), ADMIN: set()}
    for route in routes_of(quart_app(world.services, world.settings)):
        if route.access in ("user", "admin"):
            path = VARIABLE.sub(lambda match: str(uuid4()) if match[1] == "uuid" else "idp-rest", route.path)
            found[ACCOUNT if path.startswith("/auth/") else ADMIN].add((route.method, path))
    assert all(path.startswith("/admin/") for _, path in found[ADMIN])
    assert min(map(len, found.values())) >= 9
    return found


@pytest.fixture(scope="module")
async def admin(world: World) -> Tokens:
    """Whom every token below is about: an administrator, signed in over REST."""
    return await world.admin()


async def answers(world: World, routes: set[tuple[str, str]], token: str) -> set[tuple[int, str]]:
    async def call(method: str, path: str) -> tuple[int, str]:
        body = {"json": {}} if method != "GET" else {}
        answer = await world.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **body)  # type: ignore[arg-type]
        return answer.status_code, answer.json()["error"] if answer.status_code >= 400 else path

    return set(await asyncio.gather(*(call(method, path) for method, path in routes)))


# Tokens of the other kinds.


async def made(world: World, **properties: object) -> Registered:
    return await world.client(**{"first_party": True, "scope": BOTH} | properties)


async def registered_for_neither(world: World, email: str) -> str:
    return (await world.signed_in(await made(world, scope=SCOPE), email)).access_token


async def registered_by_itself(world: World, email: str) -> str:
    """With all that no door would have let it have."""
    client = await made(world, registration_digest=digest_of_secret("x"))
    return (await world.signed_in(client, email, scope=BOTH)).access_token


async def asked_for_neither(world: World, email: str) -> str:
    return (await world.signed_in(await made(world), email)).access_token


async def asked_for_account(world: World, email: str) -> str:
    return (await world.signed_in(await made(world), email, scope=f"openid {ACCOUNT}")).access_token


async def asked_for_admin(world: World, email: str) -> str:
    return (await world.signed_in(await made(world), email, scope=f"openid {ADMIN}")).access_token


async def narrowed(world: World, email: str) -> str:
    tokens = await world.signed_in(await made(world), email, scope=BOTH)
    return (await world.refreshed(tokens, scope="openid")).access_token


async def changed(world: World, email: str, **properties: object) -> str:
    """Of a client that was allowed everything when the token was made."""
    client = await made(world)
    tokens = await world.signed_in(client, email, scope=BOTH)
    await world.changed_client(client, **properties)
    return tokens.access_token


async def no_longer_registered(world: World, email: str) -> str:
    return await changed(world, email, scope=SCOPE)


async def no_longer_trusted(world: World, email: str) -> str:
    return await changed(world, email, first_party=False)


async def disabled(world: World, email: str) -> str:
    return await changed(world, email, enabled=False)


async def for_a_resource(world: World, email: str) -> str:
    return (await world.signed_in(await made(world), email, scope=BOTH, resource=API)).access_token


async def for_a_resource_over_rest(world: World, email: str) -> str:
    answer = await world.post("/auth/login", email=email, password=PASSWORD, resource=API)
    return str(answer.json()["accessToken"])


async def turned_to_a_resource(world: World, email: str) -> str:
    return (await world.refreshed(await world.signed_in(email=email), resource=API)).access_token


async def of_no_user(world: World, email: str) -> str:
    answer = await world.token((await made(world)).auth, grant_type="client_credentials")
    return str(answer.json()["access_token"])


FORBIDDEN: list[tuple[str, Made]] = [
    (scope, kind)
    for kind in (
        registered_for_neither,
        registered_by_itself,
        asked_for_neither,
        narrowed,
        no_longer_registered,
        no_longer_trusted,
        disabled,
    )
    for scope in (ACCOUNT, ADMIN)
] + [(ADMIN, asked_for_account), (ACCOUNT, asked_for_admin)]
NO_TOKEN = (for_a_resource, for_a_resource_over_rest, turned_to_a_resource, of_no_user)


@pytest.mark.parametrize(("scope", "kind"), FORBIDDEN)
async def test_another_clients_token_opens_no_route(
    world: World, routes: Routes, admin: Tokens, scope: str, kind: Made
) -> None:
    """AD15: though the user is an administrator and everything else is right."""
    token = await kind(world, admin.email)
    client_id = claims_of(token)["client_id"]

    assert await answers(world, routes[scope], token) == {(403, "forbidden")}

    denied = await world.events("access_denied", client_id=client_id)
    assert {(event["detail"]["method"], event["detail"]["path"]) for event in denied} == routes[scope]
    assert (await world.profile(admin.access_token)).status_code == 200


@pytest.mark.parametrize("kind", NO_TOKEN)
async def test_a_token_for_somebody_else_opens_no_route(
    world: World, routes: Routes, admin: Tokens, kind: Made
) -> None:
    """AD15: what a resource server is handed, and what stands for no user."""
    token = await kind(world, admin.email)

    assert await answers(world, routes[ACCOUNT] | routes[ADMIN], token) == {(401, "invalid_token")}


# Who may.


async def opened(world: World, tokens: Tokens) -> list[int]:
    return [(await world.call("GET", path, tokens)).status_code for path in ("/auth/profile", "/admin/keys")]


async def test_a_first_party_that_asks_for_it_may(world: World, admin: Tokens) -> None:
    """AD15: also with what a refresh gives, that asks for nothing."""
    tokens = await world.signed_in(await made(world), admin.email, scope=BOTH)

    assert await opened(world, tokens) == [200, 200]
    assert await opened(world, await world.refreshed(await world.refreshed(tokens, scope="openid"))) == [200, 200]
    assert await opened(world, await world.signed_in(await made(world), scope=BOTH)) == [200, 403]


async def test_any_other_client_may_once_the_user_has_allowed_it(world: World, admin: Tokens) -> None:
    """AD15."""
    party = await Party.registered(world, first_party=False, scope=BOTH)
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party, scope=f"openid {ADMIN}"), admin.email)
        code = answer_of(await browser.submit(page, "allow"))["code"]
    body = (await party.redeem(code)).json()
    tokens = Tokens(body["access_token"], body["refresh_token"], party.client.client_id, None)

    assert "Administer this server for you" in page.text
    assert await opened(world, tokens) == [403, 200]
    await world.database.execute("UPDATE consents SET scope = 'openid' WHERE client_id = $1", party.client.client_id)
    assert await opened(world, tokens) == [403, 403]


async def test_no_page_asks_where_a_password_is_handed_over(world: World, admin: Tokens) -> None:
    """AD15: so only a first party gets it there."""
    client = await made(world, first_party=False)
    fields = {"grant_type": "password", "username": admin.email, "password": PASSWORD}

    for scope in (ACCOUNT, ADMIN):
        answer = await world.token(client.auth, **fields, scope=f"openid {scope}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert (await world.token(client.auth, **fields)).json()["scope"] == SCOPE


# Nobody has it by chance.


async def test_it_comes_by_default_with_no_grant(world: World, admin: Tokens) -> None:
    """AD15: who names no scope gets all that the client may have, but this."""
    client = await made(world)
    party = await Party.registered(world, scope=BOTH)
    service = await world.token(client.auth, grant_type="client_credentials")
    async with Browser(world) as browser:
        code = await party.tokens(browser, admin.email, scope=None)

    assert (service.json()["scope"], code["scope"]) == (SCOPE, SCOPE)
    assert (await world.signed_in(client, admin.email)).body["scope"] == SCOPE


async def test_a_code_for_no_scope_stays_one(world: World, admin: Tokens) -> None:
    """AD15, AZ17: whatever the client is registered for by the time it redeems it."""
    party = await Party.registered(world, scope=ADMIN)
    async with Browser(world) as browser:
        code = (await browser.authorized(party, admin.email, scope=None))["code"]
    await world.changed_client(party.client, scope=f"{SCOPE} {ADMIN}")

    assert (await party.redeem(code)).json()["scope"] == ""


async def test_no_client_has_it_for_itself(world: World) -> None:
    """AD15."""
    client = await made(world)

    for scope in (ACCOUNT, ADMIN):
        answer = await world.token(client.auth, grant_type="client_credentials", scope=f"openid {scope}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_refresh_adds_it_to_nothing(world: World, admin: Tokens) -> None:
    """AD15, RF14."""
    tokens = await world.signed_in(await made(world), admin.email, scope="openid")

    answer = await world.refresh(tokens, scope=f"openid {ADMIN}")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert (await world.refreshed(tokens)).body["scope"] == "openid"


@pytest.mark.parametrize("scope", [ACCOUNT, ADMIN, f"openid {ACCOUNT} {ADMIN}"])
async def test_no_client_registers_itself_for_it(world: World, door: Door, admin: Tokens, scope: str) -> None:
    """AD15, AD4: nor changes its registration to that, nor is given it by an administrator."""
    await door.register(WEB | {"client_name": "Rogue", "scope": scope})
    known = await door.registered(scope="openid")
    kept = {"client_id": known["client_id"], "client_secret": known["client_secret"]}
    await door.manage("PUT", known, WEB | kept | {"scope": scope})

    given = await world.call("PUT", f"/admin/clients/{known['client_id']}", admin, json={"scope": scope})

    assert given.status_code == 400
    assert given.json()["errors"][0]["field"] == "scope"
    assert not await world.database.fetchval(
        "SELECT count(*) FROM clients WHERE registration_digest IS NOT NULL AND scope LIKE '%idp:%' AND name = ANY($1)",
        ["Rogue", known["client_id"]],
    )


async def test_who_registered_itself_may_ask_for_all_that_is_advertised(
    world: World, routes: Routes, admin: Tokens
) -> None:
    """AD15: as some libraries do. It gets the rest, and is told so; no page offers what it cannot have."""
    party = await Party.registered(world, first_party=False, registration_digest=digest_of_secret("x"))
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party, scope=BOTH), admin.email)
        tokens = (await party.redeem(answer_of(await browser.submit(page, "allow"))["code"])).json()
        alone = answer_of(await browser.authorize(party.again(), scope=f"{ADMIN} {ACCOUNT}"))
        other = await Party.registered(world)
        refused = answer_of(await browser.authorize(other, scope=BOTH))

    assert "for you</strong>" not in page.text
    assert tokens["scope"] == SCOPE
    assert await answers(world, routes[ADMIN], tokens["access_token"]) == {(403, "forbidden")}
    assert (alone["error"], refused["error"]) == ("invalid_scope", "invalid_scope")


# The trail.


async def test_a_client_that_tries_again_and_again_fills_no_trail(caller: Caller) -> None:
    """AD15: nor does it use up what the administrator may do."""
    world = caller.world
    admin = await world.admin()
    tokens = await world.signed_in(await made(world, scope=SCOPE), admin.email)

    async def call(token: str) -> tuple[int, str | None]:
        answer = await caller.get("/admin/keys", Authorization=f"Bearer {token}")
        return answer.status_code, answer.headers.get("ratelimit-remaining")

    tried = [(await call(tokens.access_token))[0] for _ in range(60)]

    assert tried == [403] * 50 + [429] * 10
    assert await call(admin.access_token) == (200, "49")
    user_id = UUID(claims_of(tokens.access_token)["sub"])
    assert len(await world.events("access_denied", user_id=user_id)) == 50
