"""Clients that register themselves (RFC 7591), at a node where they may: what they get, who may, and what is around it."""

from __future__ import annotations

import json
import time

import httpx
import jwt
import pytest
from caller import new_address
from openapi_spec_validator import OpenAPIV31SpecValidator
from registrations import DEFAULTS, PATH, TOKEN, WEB, Door, is_refused, is_unauthorized
from world import World

from keys import key_set, new_key

EVERYTHING = {
    "redirect_uris": ["https://rp.example/cb", "com.example.app:/cb"],
    "client_name": "Ein Dienst – ein Versuch",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "openid email",
    "application_type": "native",
    "subject_type": "public",
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "EdDSA",
    "jwks": key_set(new_key("EdDSA")),
    "id_token_signed_response_alg": "PS256",
    "userinfo_signed_response_alg": "ES256",
    "require_pkce": False,
    "default_max_age": 600,
    "require_auth_time": True,
    "post_logout_redirect_uris": ["https://rp.example/bye"],
    "backchannel_logout_uri": "https://rp.example/logout",
    "backchannel_logout_session_required": True,
    "initiate_login_uri": "https://rp.example/start",
    "client_uri": "https://rp.example",
    "logo_uri": "https://rp.example/logo.png",
    "policy_uri": "https://rp.example/policy",
    "tos_uri": "https://rp.example/tos",
    "contacts": ["ops@rp.example"],
}


# Registering.


async def test_a_client_registers_with_the_defaults_of_the_standard(world: World, door: Door) -> None:
    answer = await door.register(WEB)

    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert made.items() >= (DEFAULTS | {"client_secret_expires_at": 0, "client_name": made["client_id"]}).items()
    assert made["registration_client_uri"] == f"{world.settings.issuer}{PATH}/{made['client_id']}"
    assert isinstance(made["client_id_issued_at"], int)
    assert min(len(made["client_secret"]), len(made["registration_access_token"])) >= 43


async def test_its_secret_is_one(world: World, door: Door) -> None:
    made = await door.registered()

    auth = httpx.BasicAuth(made["client_id"], made["client_secret"])
    right = await world.token(auth, grant_type="client_credentials")
    wrong = await world.token(httpx.BasicAuth(made["client_id"], "x"), grant_type="client_credentials")

    assert (right.status_code, right.json()["error"]) == (400, "unauthorized_client")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


async def test_everything_that_is_registered_is_told(door: Door) -> None:
    answer = await door.register(EVERYTHING)
    read = await door.manage("GET", answer.json())

    assert answer.status_code == 201
    assert answer.json().items() >= EVERYTHING.items()
    assert "client_secret" not in answer.json()
    assert read.json() == answer.json()


async def test_what_is_unknown_or_null_is_left_out(door: Door) -> None:
    unknown = {"software_id": "x", "client_name#de": "Dienst", "id_token_claims": True, "firstParty": True}

    made = await door.registered(**unknown, logo_uri=None, grant_types=None, jwks=None)

    assert not {*unknown, "logo_uri", "jwks"} & made.keys()


async def test_what_is_not_given_here_is_left_out_and_the_answer_says_so(world: World, door: Door) -> None:
    """SC10: RFC 7591, section 3.2.1."""
    asked = {"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "password"]}
    asked |= {
        "response_types": ["code", "token"],
        "scope": "openid api:write idp:admin",
        "client_uri": "",
        "contacts": [],
    }

    made = await door.registered(**asked, client_name="", logo_uri="")

    assert made["grant_types"] == ["authorization_code"]
    assert made["response_types"] == ["code"]
    assert made["scope"] == "openid"
    assert made["client_name"] == made["client_id"]
    assert not {"client_uri", "logo_uri"} & made.keys()
    client = await world.services.clients.present(made["client_id"])
    assert client is not None
    assert (client.grant_types, client.scope) == (("authorization_code",), "openid")


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data://x/y", "file:///etc/passwd", "intent://x/y", "ms-msdt:/id"]
)
async def test_no_scheme_of_the_system_is_taken_beside_a_loopback_address(door: Door, uri: str) -> None:
    """RU4."""
    uris = ["http://127.0.0.1/cb", uri]

    for kind in (None, "native"):
        assert is_refused(
            await door.register({"redirect_uris": uris, "application_type": kind}), "invalid_redirect_uri"
        )


async def test_a_client_on_loopback_is_a_native_one(door: Door) -> None:
    made = await door.registered(redirect_uris=["http://127.0.0.1/cb", "cursor://app/cb"])
    refused = await door.register({"redirect_uris": ["cursor://app/cb"], "application_type": "native"})

    assert (made["application_type"], made["redirect_uris"]) == ("native", ["http://127.0.0.1/cb", "cursor://app/cb"])
    assert is_refused(refused, "invalid_redirect_uri")
    assert "IDP_REGISTRATION_SCHEMES" in refused.json()["error_description"]


async def test_nobody_makes_himself_more_than_a_client(world: World, door: Door) -> None:
    """AD4: what the operator decides is not asked for here."""
    more = {"first_party": True, "enabled": False, "origins": ["https://evil.example"], "resources": ["https://api"]}
    more |= {"audiences": ["https://api.example"], "client_id": "mine", "client_secret": "chosen", "built_in": True}
    more |= {"registration_access_token": "chosen", "registration_digest": "0" * 64}

    made = await door.registered(**more)
    await door.manage(
        "PUT", made, WEB | more | {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    )

    client = await world.services.clients.present(made["client_id"])
    assert client is not None
    assert (client.first_party, client.enabled, client.origins, client.resources, client.audiences) == (
        *(False, True),
        *((),) * 3,
    )
    assert made["client_id"] != "mine"
    assert made["client_secret"] != "chosen"


async def test_only_digests_are_kept(world: World, door: Door) -> None:
    """CA7."""
    made = await door.registered()

    row = await world.database.fetchval("SELECT clients::text FROM clients WHERE client_id = $1", made["client_id"])
    events = json.dumps([it["detail"] for it in await world.events("client_changed", client_id=made["client_id"])])

    for secret in (made["client_secret"], made["registration_access_token"]):
        assert secret not in row + events
    assert "egistration" not in events.replace("_registration", "")


async def test_a_registration_is_an_event_like_any_other(world: World, door: Door) -> None:
    """AD11."""
    made = await door.registered()
    await door.manage("PUT", made, WEB | {"client_id": made["client_id"], "client_name": "Renamed"})
    await door.manage("DELETE", made)

    events = await world.events("client_changed", client_id=made["client_id"])

    assert [(it["detail"]["change"], it["actor"]) for it in events] == [
        (change, "registration") for change in ("created", "updated", "deleted")
    ]
    assert events[1]["detail"]["changes"] == {"name": [made["client_id"], "Renamed"]}


# Who may.


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"bearer {TOKEN[:-1]}", "é"],
)
async def test_without_the_operators_token_nobody_registers(world: World, door: Door, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    before = await world.database.fetchval("SELECT count(*) FROM clients")

    answer = await door.call("POST", PATH, None, WEB, headers=headers)

    assert is_unauthorized(answer)
    assert await world.database.fetchval("SELECT count(*) FROM clients") == before


async def test_no_other_token_registers(world: World, door: Door) -> None:
    """AD1: an administrator's token is none of the operator's, a registration's manages that one only."""
    admin, made = await world.admin(), await door.registered()

    for token in (admin.access_token, made["registration_access_token"], made["client_secret"]):
        assert is_unauthorized(await door.register(WEB, token))


async def test_two_headers_are_none(door: Door) -> None:
    both = [
        ("Authorization", f"Bearer {TOKEN}"),
        ("Authorization", f"Bearer {TOKEN}"),
        ("X-Forwarded-For", new_address()),
    ]

    assert is_unauthorized(await door.http.post(PATH, json=WEB, headers=both))


async def test_who_tries_tokens_is_stopped(door: Door) -> None:
    """A wrong token counts like a failed client authentication, per address and client; the right one is never limited."""
    address, another, made = new_address(), new_address(), await door.registered()

    newcomers = [await door.call("POST", PATH, "wrong", WEB, address=address) for _ in range(6)]
    holders = [await door.manage("GET", made, token="wrong", address=another) for _ in range(6)]
    right = await door.call("POST", PATH, TOKEN, WEB, address=address)

    for wrong in (newcomers, holders):
        assert [answer.status_code for answer in wrong] == [401] * 5 + [429]
        assert "retry-after" in wrong[-1].headers
    assert right.status_code == 201


async def test_the_body_is_not_looked_at_before(door: Door) -> None:
    for body in (b"{", b"\xff", b"[" * 1000):
        headers = {"Content-Type": "application/json", "X-Forwarded-For": new_address()}
        assert is_unauthorized(await door.http.post(PATH, content=body, headers=headers))


# Around it.


async def test_discovery_tells_of_it_and_the_api_describes_it(world: World, door: Door) -> None:
    discovery = (await door.http.get("/.well-known/openid-configuration")).json()
    described = (await door.http.get("/openapi.json")).json()

    assert discovery["registration_endpoint"] == f"{world.settings.issuer}{PATH}"
    OpenAPIV31SpecValidator(described).validate()
    assert described["paths"].keys() >= {PATH, PATH + "/{clientId}"}


async def test_where_the_operator_has_not_set_a_token_there_is_nothing(world: World) -> None:
    discovery = (await world.http.get("/.well-known/openid-configuration")).json()
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answers = [
        await world.http.post(PATH, json=WEB, headers=headers),
        await world.http.post(PATH, data={"a": "b"}),
        await world.http.get(f"{PATH}/x", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert "registration_endpoint" not in discovery


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_method_that_it_does_not_take_is_said(door: Door, method: str) -> None:
    answer = await door.call(method, PATH, TOKEN)

    assert (answer.status_code, "POST" in answer.headers["allow"]) == (405, True)


async def test_no_page_may_call_it(door: Door) -> None:
    """CO4: who registers clients is a program of the operator."""
    page = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    preflight = await door.http.options(PATH, headers=page)
    answer = await door.call("POST", PATH, TOKEN, WEB, headers={"Origin": "https://app.example"})

    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("access-control")]


async def test_a_registered_key_proves_the_client(world: World, door: Door) -> None:
    key = new_key("ES256")
    made = await door.registered(token_endpoint_auth_method="private_key_jwt", jwks=key_set(key))
    claims = {"iss": made["client_id"], "sub": made["client_id"], "aud": world.settings.issuer, "jti": "1"}
    claims |= {"exp": int(time.time()) + 60}
    assertion = jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})
    presented = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }

    answer = await world.token(grant_type="client_credentials", **presented)

    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
