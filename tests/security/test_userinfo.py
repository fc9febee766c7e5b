"""`/oauth2/userinfo` (OpenID Connect Core, section 5.3; catalogue group M)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jwt
import pytest
from world import Registered, Tokens, World

PATH = "/oauth2/userinfo"
NAMES = {"givenName": "Ada", "familyName": "Lovelace", "birthdate": "1815-12-10", "locale": "en-GB"}
PHONE = {"phoneNumber": "+442079460000"}
ADDRESS = {"address": {"streetAddress": "12 St James's Square", "locality": "London", "country": "GB"}}
EVERY_SCOPE = "openid profile email address phone offline_access"


@pytest.fixture(scope="module")
async def client(world: World) -> Registered:
    return await world.client(scope=EVERY_SCOPE)


@pytest.fixture
async def email(world: World) -> str:
    """Of a user who has told something of everything."""
    own = await world.signed_in()
    told = NAMES | PHONE | ADDRESS
    assert (await world.call("PATCH", "/auth/profile", own, json=told)).status_code == 200
    return own.email


async def userinfo(world: World, tokens: Tokens) -> dict[str, Any]:
    answer = await world.call("GET", PATH, tokens)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response, status: int, error: str) -> bool:
    """RFC 6750, section 3."""
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["www-authenticate"].startswith(f'Bearer realm="idp", error="{error}"')
    assert answer.headers["cache-control"] == "no-store"
    return True


PROFILE = {"name", "given_name", "family_name", "birthdate", "locale", "updated_at"}
TOLD = {
    "openid": set(),
    "openid profile": PROFILE,
    "openid email": {"email", "email_verified"},
    "openid address": {"address"},
    "openid phone": {"phone_number", "phone_number_verified"},
    EVERY_SCOPE: PROFILE | {"email", "email_verified", "address", "phone_number", "phone_number_verified"},
}


@pytest.mark.parametrize(("scope", "told"), TOLD.items())
async def test_what_is_told_follows_from_the_scope(
    world: World, client: Registered, email: str, scope: str, told: set[str]
) -> None:
    """UI3; Gitea CVE-2026-55982: with openid alone nothing but `sub`."""
    found = await userinfo(world, await world.signed_in(client, email, scope=scope))

    assert set(found) == {"sub"} | told


async def test_claims_have_the_types_of_the_standard(world: World, client: Registered, email: str) -> None:
    """OpenID Connect Core, section 5.1."""
    tokens = await world.signed_in(client, email)
    found = await userinfo(world, tokens)

    assert found["sub"] == jwt.decode(tokens.access_token, options={"verify_signature": False})["sub"]
    assert (found["email"], found["email_verified"], found["phone_number_verified"]) == (email, False, False)
    assert found["address"] == {"street_address": "12 St James's Square", "locality": "London", "country": "GB"}
    assert (found["birthdate"], found["phone_number"]) == ("1815-12-10", "+442079460000")
    assert isinstance(found["updated_at"], int)


async def test_the_scope_is_that_of_the_token(world: World, client: Registered, email: str) -> None:
    """UI3: after a refresh that asked for less."""
    tokens = await world.signed_in(client, email)
    narrowed = await world.refreshed(tokens, scope="openid email")

    assert set(await userinfo(world, narrowed)) == {"sub", "email", "email_verified"}


async def test_what_a_client_asked_for_by_name_is_told_too(world: World, client: Registered, email: str) -> None:
    """OpenID Connect Core, section 5.5. What the user has not is left out."""
    tokens = await world.signed_in(client, email, scope="openid")
    asked = {
        "userinfo": {"given_name": None, "nickname": {"essential": True}, "sub": None},
        "id_token": {"email": None},
    }
    remember = "UPDATE sessions SET requested_claims = $1::jsonb WHERE family_id = $2"
    await world.database.execute(remember, json.dumps(asked), world.family(tokens))

    found = await userinfo(world, tokens)

    assert set(found) == {"sub", "given_name"}


async def test_the_token_comes_in_the_header_or_the_form(world: World, client: Registered, email: str) -> None:
    """UI1, UI5."""
    tokens = await world.signed_in(client, email)
    token = tokens.access_token
    answers = [
        await world.http.get(PATH, headers={"Authorization": f"Bearer {token}"}),
        await world.http.get(PATH, headers={"Authorization": f"bEaReR {token}"}),
        await world.http.get(PATH, headers={"Authorization": f"Bearer  {token}"}),
        await world.http.post(PATH, headers={"Authorization": f"Bearer {token}"}),
        await world.http.post(PATH, headers={"Authorization": f"Bearer {token}"}, data={"other": "1"}),
        await world.http.post(PATH, data={"access_token": token}),
        await world.http.get(f"{PATH}?schema=openid", headers={"Authorization": f"Bearer {token}"}),
    ]

    assert [answer.status_code for answer in answers] == [200] * 7
    assert {answer.content for answer in answers} == {answers[0].content}


async def test_a_token_in_the_query_or_a_second_one_is_refused(world: World, client: Registered) -> None:
    """UI2, UI5."""
    token = (await world.signed_in(client)).access_token
    bearer = {"Authorization": f"Bearer {token}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        await world.http.get(f"{PATH}?access_token={token}"),
        await world.http.get(f"{PATH}?access_token={token}", headers=bearer),
        await world.http.get(f"{PATH}?%61ccess_token={token}", headers=bearer),
        await world.http.post(PATH, data={"access_token": token}, headers=bearer),
        await world.http.post(PATH, content=f"access_token={token}&access_token={token}", headers=form),
    ]

    assert all(refused(answer, 400, "invalid_request") for answer in answers)


async def test_who_presents_nothing_is_told_how_and_of_no_fault(world: World) -> None:
    """RFC 6750, section 3.1."""
    for answer in (await world.http.get(PATH), await world.http.post(PATH), await world.http.post(PATH, data={})):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="idp"'


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer\t{}", "Basic {}", "{}", "Bearer", "Bearer {} x", "Bearer \xff{}"]
)
async def test_what_is_no_good_token_is_refused(world: World, client: Registered, header: str) -> None:
    """UI5."""
    value = header.format((await world.signed_in(client)).access_token).encode("latin-1")

    assert refused(await world.http.get(PATH, headers={"Authorization": value}), 401, "invalid_token")


async def test_two_headers_are_refused(world: World, client: Registered) -> None:
    """UI5."""
    pair = ("Authorization", f"Bearer {(await world.signed_in(client)).access_token}")

    assert refused(await world.http.get(PATH, headers=[pair, pair]), 401, "invalid_token")


@pytest.mark.parametrize("token", ["a.b.c", "." * 9000, "é", "\u2028", '"', "x" * 60_000])
async def test_garbage_in_the_form_is_refused(world: World, token: str) -> None:
    """UI5."""
    assert refused(await world.http.post(PATH, data={"access_token": token}), 401, "invalid_token")


async def test_a_token_without_openid_or_without_a_user_is_not_enough(world: World, client: Registered) -> None:
    """UI6."""
    narrow = await world.signed_in(client, scope="profile email")
    own = (await world.token(client.auth, grant_type="client_credentials", scope="openid")).json()["access_token"]

    for token in (narrow.access_token, own):
        answer = await world.http.get(PATH, headers={"Authorization": f"Bearer {token}"})
        assert refused(answer, 403, "insufficient_scope")
        assert answer.headers["www-authenticate"].endswith('scope="openid"')


async def test_a_token_for_another_resource_is_refused(world: World, client: Registered) -> None:
    """JW8."""
    tokens = await world.signed_in(client, resource="https://api.example")

    assert refused(await world.call("GET", PATH, tokens), 401, "invalid_token")


@pytest.mark.parametrize("end", ["user", "session", "token", "client", "client removed"])
async def test_what_has_ended_is_told_no_more(world: World, end: str) -> None:
    """PW22, SE15, IR6."""
    client = await world.client()
    tokens = await world.signed_in(client)
    await userinfo(world, tokens)

    match end:
        case "user":
            await world.services.user_administration.disable(tokens.email)
        case "session":
            await world.services.session_service.end(tokens.refresh_token, client.client_id)
        case "token":
            await world.http.post("/oauth2/revoke", data={"token": tokens.access_token}, auth=client.auth)
        case "client":
            await world.changed_client(client, enabled=False)
        case _:
            await world.services.clients.remove(client.client_id)

    assert refused(await world.call("GET", PATH, tokens), 401, "invalid_token")


async def test_the_user_is_as_of_now(world: World, client: Registered, email: str) -> None:
    tokens = await world.signed_in(client, email)
    own = await world.signed_in(email=email)

    await world.call("PATCH", "/auth/profile", own, json={"name": "Ada King", "phoneNumber": None})

    found = await userinfo(world, tokens)
    assert found["name"] == "Ada King"
    assert not {"phone_number", "phone_number_verified"} & set(found)


async def test_a_client_may_have_the_answer_signed(world: World) -> None:
    """OpenID Connect Core, section 5.3.2: for that client alone."""
    client = await world.client(userinfo_signed_response_alg="RS256")
    tokens = await world.signed_in(client)

    answer = await world.call("GET", PATH, tokens)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    keys = jwt.PyJWKSet.from_dict((await world.http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(answer.text)
    claims = jwt.decode(
        answer.text, keys[header["kid"]], ["RS256"], audience=client.client_id, issuer=world.settings.issuer
    )
    assert (header["typ"], header["alg"]) == ("userinfo+jwt", "RS256")
    assert set(claims) == {"iss", "aud", "sub", "name", "updated_at", "email", "email_verified"}


async def test_a_signed_answer_is_no_access_token(world: World) -> None:
    """JW9."""
    client = await world.client(userinfo_signed_response_alg="RS256")
    answer = await world.call("GET", PATH, await world.signed_in(client))

    assert (await world.profile(answer.text)).status_code == 401


async def test_pages_of_clients_may_read_it(world: World) -> None:
    """UI7, CO2, CO5."""
    page = "https://reading.example"
    client = await world.client(public=True, origins=(page,))
    tokens = await world.signed_in(client)
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}

    asked = await world.http.options(PATH, headers={"Origin": page} | asking)
    read = await world.call("GET", PATH, tokens, headers={"Origin": page})
    evil = await world.call("GET", PATH, tokens, headers={"Origin": "https://evil.example"})

    allowed = [answer.headers.get("access-control-allow-origin") for answer in (asked, read, evil)]
    assert allowed == [page, page, None]
    assert asked.headers["access-control-allow-methods"] == "GET, POST"
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert {answer.headers["vary"] for answer in (asked, read, evil)} == {"Origin"}
    assert "access-control-allow-credentials" not in read.headers
    await world.services.clients.remove(client.client_id)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
async def test_only_get_and_post_are_served(world: World, method: str) -> None:
    """UI1."""
    answer = await world.http.request(method, PATH)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


async def test_what_a_user_wrote_stays_data(world: World, client: Registered) -> None:
    """UI8."""
    own = await world.signed_in()
    probe = "<script>alert(1)</script>\"'"
    await world.call("PATCH", "/auth/profile", own, json={"nickname": probe})

    answer = await world.call("GET", PATH, await world.signed_in(client, own.email))

    assert answer.json()["nickname"] == probe
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_calls_are_limited_by_address(caller: Any, world: World) -> None:
    """LK5: as the rest of the API."""
    answer = await caller.get(PATH)

    assert answer.status_code == 401
    assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == ("100", "99")
