"""Clients that register themselves (RFC 7591) and look after their registration (RFC 7592), at a node where they may."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from caller import new_address
from openapi_spec_validator import OpenAPIV31SpecValidator
from process import ServerProcess
from test_client_rules import CLOBBERING, REFUSED
from world import PASSWORD, World

from idp.gateways.embedded import StoreUrls
from idp.settings import Settings
from keys import encoded, key_set, new_key

TOKEN = "a-token-of-the-operator-that-is-long-enough"
PATH = "/oauth2/register"
WEB: dict[str, Any] = {"redirect_uris": ["https://rp.example/cb"]}
DEFAULTS = {
    "redirect_uris": ["https://rp.example/cb"],
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "application_type": "web",
    "subject_type": "public",
    "id_token_signed_response_alg": "RS256",
    "require_pkce": True,
    "require_auth_time": False,
    "scope": "openid profile email address phone offline_access",
}
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
    "client_uri": "https://rp.example",
    "logo_uri": "https://rp.example/logo.png",
    "policy_uri": "https://rp.example/policy",
    "tos_uri": "https://rp.example/tos",
    "contacts": ["ops@rp.example"],
}


@pytest.fixture(scope="module")
def node(folder: Path, settings: Settings, urls: StoreUrls) -> Iterator[ServerProcess]:
    limits = {"IDP_LIMIT_LOGIN": "5/15m", "IDP_TRUSTED_PROXIES": "127.0.0.0/8,::1"}
    with ServerProcess(
        folder / "registering",
        IDP_ISSUER=settings.issuer,
        IDP_DATABASE_URL=urls.database,
        IDP_MIGRATION_DATABASE_URL=urls.migration,
        IDP_REDIS_URL=urls.redis,
        IDP_KEYS_DIR=str(settings.keys_dir),
        IDP_SECRET=settings.secrets[0].decode(),
        IDP_REGISTRATION_TOKEN=TOKEN,
        **limits,
    ) as started:
        yield started


class Door:
    """Each call comes from an address of its own, so that what one gets wrong limits no other."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(
        self, method: str, path: str, token: str | None, body: Any = None, *, address: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"X-Forwarded-For": address or new_address()} | more.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    async def register(self, metadata: Any, token: str | None = TOKEN) -> httpx.Response:
        return await self.call("POST", PATH, token, metadata)

    async def registered(self, **metadata: Any) -> dict[str, Any]:
        answer = await self.register(WEB | metadata)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def manage(self, method: str, made: dict[str, Any], body: Any = None, **more: Any) -> httpx.Response:
        token = more.pop("token", made["registration_access_token"])
        return await self.call(method, f"{PATH}/{made['client_id']}", token, body, **more)


@pytest.fixture
async def door(world: World, node: ServerProcess) -> AsyncIterator[Door]:
    async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
        yield Door(http)


def is_refused(answer: httpx.Response, error: str = "invalid_client_metadata") -> bool:
    """RFC 7591, section 3.2.2."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert all(" " <= it <= "~" and it not in '"\\' for it in answer.json()["error_description"])
    return True


def is_unauthorized(answer: httpx.Response) -> bool:
    """RFC 6750, section 3."""
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "invalid_token"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="idp"')
    return True


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
    unknown = {"software_id": "x", "client_name#de": "Dienst", "initiate_login_uri": "x", "firstParty": True}

    made = await door.registered(**unknown, logo_uri=None, grant_types=None, jwks=None)

    assert not {*unknown, "logo_uri", "jwks"} & made.keys()


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
    """A wrong token counts like a failed client authentication; the right one is never limited."""
    address, made = new_address(), await door.registered()

    wrong = [await door.call("POST", PATH, "wrong", WEB, address=address) for _ in range(4)]
    wrong += [await door.manage("GET", made, token="wrong", address=address) for _ in range(2)]
    right = await door.call("POST", PATH, TOKEN, WEB, address=address)

    assert [answer.status_code for answer in wrong] == [401] * 5 + [429]
    assert "retry-after" in wrong[-1].headers
    assert right.status_code == 201


async def test_the_body_is_not_looked_at_before(door: Door) -> None:
    for body in (b"{", b"\xff", b"[" * 1000):
        headers = {"Content-Type": "application/json", "X-Forwarded-For": new_address()}
        assert is_unauthorized(await door.http.post(PATH, content=body, headers=headers))


# What is refused.


@pytest.mark.parametrize("uri", [*REFUSED, *(f"https://a.example/cb?{query}" for query in CLOBBERING)])
async def test_a_redirect_uri_that_could_lead_elsewhere_is_refused(door: Door, uri: str) -> None:
    """RU4, RU6."""
    error = "invalid_client_metadata" if "\x00" in uri else "invalid_redirect_uri"

    assert is_refused(await door.register({"redirect_uris": ["https://rp.example/cb", uri]}), error)


@pytest.mark.parametrize("uris", [None, [], "https://rp.example/cb", [5], [None], {}, [["https://rp.example/cb"]]])
async def test_a_client_names_a_redirect_uri(door: Door, uris: Any) -> None:
    assert is_refused(await door.register({"redirect_uris": uris}), "invalid_redirect_uri")


PRIVATE = new_key()


@pytest.mark.parametrize(
    "members",
    [
        *(
            {"grant_types": types}
            for types in (["password"], ["client_credentials"], ["implicit"], ["refresh_token"], [])
        ),
        *(
            {"grant_types": types}
            for types in (["authorization_code", "password"], ["authorization_code", "x"], "x", 5)
        ),
        *(
            {"response_types": types}
            for types in (["token"], ["code id_token"], ["code", "token"], ["none"], [], "code")
        ),
        *({"token_endpoint_auth_method": it} for it in ("client_secret_jwt", "tls_client_auth", "x", "", 5)),
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "none", "require_pkce": False},
        *({name: "none"} for name in ("id_token_signed_response_alg", "userinfo_signed_response_alg")),
        {"id_token_signed_response_alg": "HS256"},
        {"token_endpoint_auth_signing_alg": "HS256"},
        *({"subject_type": it} for it in ("pairwise", "", 5)),
        *({"scope": it} for it in ("openid admin", "api:write", 'a"b', ["openid"])),
        *({"application_type": it} for it in ("desktop", 5)),
        *({"default_max_age": it} for it in (-1, "60", 1.5, True, 10**30)),
        *({"require_pkce": it} for it in ("false", 0)),
        *({"client_name": it} for it in ("", "x" * 101, "a\nb", 5)),
        *({name: "javascript:alert(1)"} for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri")),
        *({name: "http://169.254.169.254/"} for name in ("jwks_uri", "backchannel_logout_uri", "logo_uri")),
        {"post_logout_redirect_uris": ["https://rp.example/#x"]},
        {"jwks": {"keys": [encoded(PRIVATE.private, PRIVATE.kind)]}},
        {"jwks": key_set(PRIVATE), "jwks_uri": "https://rp.example/jwks"},
        *({"jwks": it} for it in ("x", [], {}, {"keys": "x"})),
        {"contacts": ["x"]},
        {"contacts": [f"a{number}@b.example" for number in range(51)]},
    ],
)
async def test_what_is_not_supported_is_said(door: Door, members: dict[str, Any]) -> None:
    """SC10: nothing is registered that does not work."""
    assert is_refused(await door.register(WEB | members))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *(
            (body, "application/json")
            for body in (b"", b"{", b"[]", b"null", b"5", b"\xff", b'{"a":1,"a":2}', b"[" * 9000)
        ),
        *(
            (body, "application/json")
            for body in (b'{"client_name": "\\ud800"}', b'{"client_name": "\\u0000"}', b"NaN")
        ),
        (b"redirect_uris=https://rp.example/cb", "application/x-www-form-urlencoded"),
        (b'{"redirect_uris": ["https://rp.example/cb"]}', "text/plain"),
        (b"", None),
    ],
)
async def test_what_cannot_be_read_is_refused(door: Door, body: bytes, kind: str | None) -> None:
    """IN1: never a 500."""
    headers = {} if kind is None else {"Content-Type": kind}

    assert is_refused(await door.call("POST", PATH, TOKEN, content=body, headers=headers))


async def test_a_body_that_is_too_large_is_refused(door: Door) -> None:
    answer = await door.register(WEB | {"software_statement": "x" * 70_000})

    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


# Looking after it.


async def test_a_replacement_leaves_nothing_of_what_was(door: Door) -> None:
    made = await door.registered(client_name="First", logo_uri="https://rp.example/logo", require_pkce=False)

    answer = await door.manage("PUT", made, WEB | {"client_id": made["client_id"], "scope": "openid"})

    assert answer.status_code == 200
    assert answer.json().items() >= (DEFAULTS | {"scope": "openid", "client_name": made["client_id"]}).items()
    assert "logo_uri" not in answer.json()
    assert answer.json()["registration_access_token"] == made["registration_access_token"]
    read = await door.manage("GET", made)
    assert read.json() == answer.json()


async def test_the_secret_stays_until_the_method_changes(world: World, door: Door) -> None:
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    same = await door.manage("PUT", made, mine | {"client_secret": made["client_secret"]})
    public = await door.manage("PUT", made, mine | {"token_endpoint_auth_method": "none"})
    back = await door.manage("PUT", made, mine | {"token_endpoint_auth_method": "client_secret_post"})

    assert [("client_secret" in answer.json()) for answer in (same, public, back)] == [False, False, True]
    assert back.json()["client_secret"] != made["client_secret"]
    assert back.json()["client_secret_expires_at"] == 0


@pytest.mark.parametrize(
    "wrong", [{"client_id": "other"}, {"client_id": None}, {"client_secret": "other"}, {"client_id": 5}]
)
async def test_a_replacement_is_of_the_client_that_it_names(door: Door, wrong: dict[str, Any]) -> None:
    """RFC 7592, section 2.2."""
    made = await door.registered()

    assert is_refused(await door.manage("PUT", made, WEB | {"client_id": made["client_id"]} | wrong))


async def test_a_replacement_follows_the_same_rules(door: Door) -> None:
    """RU4."""
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    assert is_refused(
        await door.manage("PUT", made, mine | {"redirect_uris": ["javascript:x"]}), "invalid_redirect_uri"
    )
    assert is_refused(await door.manage("PUT", made, mine | {"grant_types": ["password"]}))
    assert is_refused(await door.manage("PUT", made, {"redirect_uris": WEB["redirect_uris"]}))


async def test_deleting_ends_the_sessions_and_the_token(world: World, door: Door) -> None:
    made = await door.registered(grant_types=["authorization_code", "refresh_token"])
    await world.database.execute(
        "UPDATE clients SET grant_types = '{password,refresh_token}' WHERE client_id = $1", made["client_id"]
    )
    auth = httpx.BasicAuth(made["client_id"], made["client_secret"])
    user = {"grant_type": "password", "username": await world.registered(), "password": PASSWORD}
    tokens = (await world.token(auth, **user)).json()

    answer = await door.manage("DELETE", made)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.profile(tokens["access_token"])).status_code == 401
    for method, body in (("GET", None), ("PUT", WEB | {"client_id": made["client_id"]}), ("DELETE", None)):
        assert is_unauthorized(await door.manage(method, made, body))


async def test_a_registration_is_managed_by_its_own_token_only(world: World, door: Door) -> None:
    """AD3."""
    mine, other = await door.registered(), await door.registered()
    plain = await world.client()
    body = WEB | {"client_id": mine["client_id"]}
    tokens = (other["registration_access_token"], TOKEN, mine["client_secret"], mine["registration_access_token"][:-1])

    for token in tokens:
        for method in ("GET", "PUT", "DELETE"):
            assert is_unauthorized(await door.manage(method, mine, body if method == "PUT" else None, token=token))
    for client_id in (plain.client_id, "idp-rest", secrets.token_hex(12), "x" * 5000, "%FF", "%C3%A9"):
        assert is_unauthorized(await door.call("GET", f"{PATH}/{client_id}", tokens[0]))
    assert (await door.manage("GET", mine)).status_code == 200


async def test_a_client_that_the_operator_disabled_cannot_change_itself(world: World, door: Door) -> None:
    """CA10."""
    made = await door.registered()
    await world.database.execute("UPDATE clients SET enabled = false WHERE client_id = $1", made["client_id"])

    assert is_unauthorized(await door.manage("GET", made))
    assert is_unauthorized(await door.manage("DELETE", made))


async def test_changes_at_once_are_none_of_them_an_error(door: Door) -> None:
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    calls = [door.manage("PUT", made, mine | {"client_name": f"N{number}"}) for number in range(10)]
    answers = await asyncio.gather(
        *calls, door.manage("DELETE", made), *(door.manage("DELETE", made) for _ in range(3))
    )

    assert {answer.status_code for answer in answers} <= {200, 204, 401, 429}
    assert [answer.status_code for answer in answers].count(204) == 1
    assert is_unauthorized(await door.manage("GET", made))


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
