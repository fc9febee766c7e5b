from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from idp.controllers.tokens.well_known import (
    AUTHORIZATION_SERVER,
    JWKS,
    OPENID_CONFIGURATION,
    PATHS,
    WellKnown,
    discovery,
)
from idp.domain.tokens.claims import SUPPORTED

ISSUER = "https://id.example"
MAX_AGE = timedelta(minutes=5)


class PublishedKeys:
    """Keys of which only the public side is asked for."""

    def __init__(self) -> None:
        self.version = 1
        self.kids = ["first"]

    def published(self) -> list[dict[str, str]]:
        return [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": "AQAB", "e": "AQAB"} for kid in self.kids]

    def publish(self, kid: str) -> None:
        self.kids.append(kid)
        self.version += 1


@pytest.fixture
def keys() -> PublishedKeys:
    return PublishedKeys()


@pytest.fixture
def app(keys) -> WellKnown:
    metadata = discovery(
        ISSUER,
        grant_types=("password", "refresh_token"),
        auth_methods=("client_secret_basic", "client_secret_post", "none"),
        auth_algorithms=("ES256",),
        scopes=("openid", "offline_access"),
        locales=("en", "de"),
    )
    return WellKnown(
        keys=keys, documents={OPENID_CONFIGURATION: metadata, AUTHORIZATION_SERVER: metadata}, max_age=MAX_AGE
    )


@pytest.fixture
async def client(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as client:
        yield client


async def test_discovery_tells_exactly_what_works(client):
    answer = await client.get(OPENID_CONFIGURATION)

    assert answer.json() == {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/oauth2/authorize",
        "token_endpoint": f"{ISSUER}/oauth2/token",
        "userinfo_endpoint": f"{ISSUER}/oauth2/userinfo",
        "revocation_endpoint": f"{ISSUER}/oauth2/revoke",
        "introspection_endpoint": f"{ISSUER}/oauth2/introspect",
        "end_session_endpoint": f"{ISSUER}/oauth2/logout",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "scopes_supported": ["openid", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": ["urn:idp:acr:password"],
        "claims_parameter_supported": True,
        "ui_locales_supported": ["en", "de"],
        "grant_types_supported": ["password", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "userinfo_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "claims_supported": list(SUPPORTED),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def test_an_issuer_with_a_slash_at_its_end_is_told_as_it_is_and_gives_no_double_slash():
    metadata = discovery(f"{ISSUER}/", grant_types=(), auth_methods=(), scopes=(), locales=())

    assert (metadata["issuer"], metadata["jwks_uri"]) == (f"{ISSUER}/", f"{ISSUER}/.well-known/jwks.json")


def test_an_endpoint_that_comes_later_is_one_more_name():
    endpoints = {"token_endpoint": "/oauth2/token", "revocation_endpoint": "/oauth2/revoke"}
    metadata = discovery(ISSUER, grant_types=(), auth_methods=(), scopes=(), locales=(), endpoints=endpoints)

    assert metadata["revocation_endpoint"] == f"{ISSUER}/oauth2/revoke"


async def test_the_jwks_holds_the_published_keys(client, keys):
    answer = await client.get(JWKS)

    assert answer.json() == {"keys": keys.published()}


async def test_the_jwks_and_its_entity_tag_follow_the_keys(client, keys):
    before = await client.get(JWKS)
    keys.publish("second")

    after = await client.get(JWKS, headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert [key["kid"] for key in after.json()["keys"]] == ["first", "second"]
    assert after.headers["etag"] != before.headers["etag"]


async def test_the_jwks_is_not_rendered_again_while_its_version_stands(client, keys):
    before = await client.get(JWKS)
    keys.kids.append("unannounced")

    assert (await client.get(JWKS)).content == before.content


@pytest.mark.parametrize("path", PATHS)
async def test_each_document_may_be_cached_and_read_from_any_origin(client, path):
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["etag"].startswith('"')
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("presented", ["{}", "W/{}", '"other", {}', '"other",W/{} , "third"', "*"])
async def test_who_has_the_document_is_told_that_it_stands(client, path, method, presented):
    entity_tag = (await client.get(path)).headers["etag"]

    answer = await client.request(method, path, headers={"If-None-Match": presented.replace("{}", entity_tag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == entity_tag
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("presented", ["", '"other"', "other", '"', '"*"', 'W/"'])
async def test_who_has_another_document_gets_this_one(client, presented):
    answer = await client.get(JWKS, headers={"If-None-Match": presented})

    assert answer.status_code == 200


async def test_head_tells_what_get_would(client):
    got, head = await client.get(JWKS), await client.head(JWKS)

    assert head.content == b""
    assert head.headers == got.headers


async def test_a_preflight_is_answered(client):
    answer = await client.options(
        JWKS, headers={"Origin": "https://spa.example", "Access-Control-Request-Method": "GET"}
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
async def test_any_other_method_is_a_problem_that_names_those_allowed(world, method, path):
    answer = await world.http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Method not allowed",
        "status": 405,
        "detail": "This path does not take that method.",
        "error": "method_not_allowed",
        "requestId": answer.headers["x-request-id"],
    }


async def test_headers_that_the_edge_appends_do_not_stay(app):
    starts = []

    async def edge(message):
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-request-id", b"1"))
            starts.append(message["headers"])

    scope = {"type": "http", "method": "GET", "path": JWKS, "headers": []}
    await app(scope, None, edge)
    await app(scope, None, edge)

    assert [len(headers) for headers in starts] == [len(starts[0])] * 2
