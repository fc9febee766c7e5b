"""What a client says of itself beyond its redirect URIs: places, keys, algorithms (groups RU, CA and AD)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from test_client_rules import CLOBBERING, REFUSED
from world import Tokens, World

from keys import encoded, key_set, new_key

KEY = new_key("ES256").public
RSA_KEY = new_key("RS256").public
WEB = {"name": "Web", "grantTypes": ["authorization_code"], "redirectUris": ["https://a.example/cb"]}
EVERYTHING = {
    "postLogoutRedirectUris": ["https://a.example/bye", "com.example.app:/bye"],
    "audiences": ["https://api.example", "urn:example:api"],
    "tokenEndpointAuthMethod": "private_key_jwt",
    "tokenEndpointAuthSigningAlg": "ES256",
    "applicationType": "native",
    "requirePkce": False,
    "firstParty": True,
    "backchannelLogoutUri": "http://localhost:3000/logout?x=1",
    "backchannelLogoutSessionRequired": True,
    "idTokenSignedResponseAlg": "EdDSA",
    "userinfoSignedResponseAlg": "PS256",
    "jwks": key_set(new_key("RS256"), new_key("ES256"), new_key("EdDSA")),
    "defaultMaxAge": 3600,
    "requireAuthTime": True,
    "idTokenClaims": True,
    "initiateLoginUri": "https://a.example/start?tenant=1",
    "logoUri": "https://a.example/logo.png",
    "clientUri": "https://a.example/#about",
    "policyUri": "https://a.example/privacy",
    "tosUri": "https://a.example/terms",
    "contacts": ["ops@a.example"],
}


@pytest.fixture(scope="module")
async def admin(world: World) -> Tokens:
    return await world.admin()


async def faults(world: World, admin: Tokens, **members: Any) -> list[str]:
    answer = await world.call("POST", "/admin/clients", admin, json=WEB | members)
    assert answer.status_code in (201, 400), answer.text
    return [fault["field"] for fault in answer.json().get("errors", [])]


async def test_everything_that_is_registered_is_told(world: World, admin: Tokens) -> None:
    made = await world.call("POST", "/admin/clients", admin, json=WEB | EVERYTHING)
    read = await world.call("GET", f"/admin/clients/{made.json()['clientId']}", admin)

    assert (made.status_code, made.json()["clientSecret"]) == (201, None)
    assert read.json()["client"].items() >= (WEB | EVERYTHING).items()
    assert made.headers["etag"] == read.headers["etag"]


async def test_each_member_changes_alone_and_with_it_the_version(world: World, admin: Tokens) -> None:
    client_id = (await world.call("POST", "/admin/clients", admin, json=WEB)).json()["clientId"]
    path = f"/admin/clients/{client_id}"
    version = (await world.call("GET", path, admin)).headers["etag"]

    # The keys come before the method that needs them.
    for member in sorted(EVERYTHING, key=lambda name: name != "jwks"):
        changed = await world.call("PUT", path, admin, json={member: EVERYTHING[member]}, headers={"If-Match": version})
        assert changed.status_code == 200, changed.text
        assert changed.headers["etag"] != version
        version = changed.headers["etag"]

    assert changed.json()["client"].items() >= EVERYTHING.items()
    told = [event["detail"]["changes"] for event in await world.events("client_changed", client_id=client_id)]
    assert {name for changes in told[1:] for name in changes} >= EVERYTHING.keys()


async def test_the_trail_names_keys_and_does_not_repeat_them(world: World, admin: Tokens) -> None:
    """AD11."""
    made = await world.call("POST", "/admin/clients", admin, json=WEB | {"jwks": {"keys": [KEY]}})

    (event,) = await world.events("client_changed", client_id=made.json()["clientId"])

    (named,) = event["detail"]["changes"]["jwks"][1]
    assert named.startswith(KEY["kid"])
    assert KEY["x"] not in json.dumps(event["detail"])


async def test_null_empties_what_may_be_empty(world: World, admin: Tokens) -> None:
    optional = {"backchannelLogoutUri", "defaultMaxAge", "logoUri", "userinfoSignedResponseAlg", "jwks"}
    made = await world.call("POST", "/admin/clients", admin, json=WEB | {name: EVERYTHING[name] for name in optional})

    path = f"/admin/clients/{made.json()['clientId']}"
    emptied = await world.call("PUT", path, admin, json=dict.fromkeys(optional | {"idTokenSignedResponseAlg"}))

    assert {emptied.json()["client"][name] for name in optional - {"jwks"}} == {None}
    assert emptied.json()["client"]["idTokenSignedResponseAlg"] == "RS256"


@pytest.mark.parametrize("uri", [*REFUSED, *(f"https://a.example/cb?{query}" for query in CLOBBERING)])
async def test_a_place_after_signing_out_follows_the_rules_of_a_redirect_uri(
    world: World, admin: Tokens, uri: str
) -> None:
    """RU8."""
    if "\x00" in uri:
        return
    assert await faults(world, admin, postLogoutRedirectUris=[uri]) == ["postLogoutRedirectUris"]


@pytest.mark.parametrize(
    "member", ["initiateLoginUri", "backchannelLogoutUri", "jwksUri", "logoUri", "clientUri", "policyUri", "tosUri"]
)
@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "gopher://a.example", "com.example.app:/x"),
        *("http://a.example/x", "http://169.254.169.254/latest", "http://127.0.0.1.evil.example", "//a.example", ""),
        *("https://user@a.example", "https://a.example/ x", 'https://a.example/"onload=', "https://a.example:0x50/"),
        "https://a.example/" + "a" * 2000,
    ],
)
async def test_a_place_that_is_none_of_the_web_is_refused(world: World, admin: Tokens, member: str, uri: str) -> None:
    """AD10; Zitadel's and Casdoor's requests to addresses of others."""
    assert await faults(world, admin, **{member: uri}) == [member]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"backchannelLogoutUri": "https://a.example/logout#x"}, ["backchannelLogoutUri"]),
        ({"initiateLoginUri": "https://a.example/start#x"}, ["initiateLoginUri"]),
        ({"jwksUri": "http://localhost/jwks"}, ["jwksUri"]),
        ({"jwksUri": "https://a.example/jwks", "jwks": {"keys": [KEY]}}, ["jwksUri"]),
        ({"tokenEndpointAuthMethod": "private_key_jwt"}, ["jwks"]),
        ({"tokenEndpointAuthMethod": "none", "requirePkce": False}, ["requirePkce"]),
        ({"redirectUris": []}, ["redirectUris"]),
        ({"applicationType": "desktop"}, ["applicationType"]),
        ({"idTokenSignedResponseAlg": "none"}, ["idTokenSignedResponseAlg"]),
        ({"idTokenSignedResponseAlg": "HS256"}, ["idTokenSignedResponseAlg"]),
        ({"userinfoSignedResponseAlg": "none"}, ["userinfoSignedResponseAlg"]),
        ({"tokenEndpointAuthSigningAlg": "HS256"}, ["tokenEndpointAuthSigningAlg"]),
        ({"defaultMaxAge": -1}, ["defaultMaxAge"]),
        ({"defaultMaxAge": 2**31}, ["defaultMaxAge"]),
        ({"contacts": ["nobody"]}, ["contacts"]),
        ({"contacts": ["a@b.example\r\nBcc: c@d.example"]}, ["contacts"]),
        ({"audiences": ["api"]}, ["audiences"]),
        ({"audiences": ["https://api.example/#x"]}, ["audiences"]),
        ({"registrationDigest": "0" * 64}, ["registrationDigest"]),
    ],
)
async def test_what_contradicts_itself_or_means_nothing_is_named(
    world: World, admin: Tokens, members: dict[str, Any], fields: list[str]
) -> None:
    assert await faults(world, admin, **members) == fields


ODD_KEYS: dict[str, Any] = {
    "private RSA": new_key("RS256"),
    "private EC": new_key("ES256"),
    "private OKP": new_key("EdDSA"),
}
SHORT = encoded(rsa.generate_private_key(65537, 1024).public_key(), "RSA")


@pytest.mark.parametrize(
    "keys",
    [
        *([encoded(key.private, key.kind)] for key in ODD_KEYS.values()),
        [{"kty": "oct", "k": "c2VjcmV0"}],
        [{"kty": "oct"}],
        [SHORT],
        [RSA_KEY | {"n": "A" * 3000}],
        [RSA_KEY | {"e": "AQ"}],
        [RSA_KEY | {"n": RSA_KEY["n"] + "=="}],
        [RSA_KEY | {"n": 5}],
        [KEY | {"crv": "P-384"}],
        [KEY | {"x": KEY["y"]}],
        [KEY | {"x": "AAAA"}],
        [KEY | {"alg": "RS256"}],
        [KEY | {"alg": "none"}],
        [KEY | {"kid": ""}],
        [KEY | {"kid": ["a"]}],
        [KEY | {"use": "both"}],
        [KEY | {"kty": ["EC"]}],
        [encoded(ec.generate_private_key(ec.SECP384R1()).public_key(), "EC")],
        [{"kty": "OKP", "crv": "X25519", "x": "A" * 43}],
        [KEY, KEY],
        [KEY | {"kid": f"k{place}"} for place in range(21)],
        [KEY | {"note": "a" * 40_000}],
        [KEY | {"note": 10**30}],
        [KEY | {"note": {"deep": 1}}],
        [KEY | {"note": [["deep"]]}],
        [KEY | {"note": 1.5}],
        [],
        ["x"],
        [None],
        {"0": KEY},
        None,
    ],
)
async def test_a_key_that_is_weak_secret_or_none_is_refused(world: World, admin: Tokens, keys: Any) -> None:
    """CA11, AD9: a private key that is sent here is no secret any more, so it is not stored either."""
    assert await faults(world, admin, jwks={"keys": keys}) == ["jwks"]


@pytest.mark.parametrize("more", [{"note": 10**30}, {"note": {"deep": 1}}, {"note": None}])
async def test_beside_the_keys_a_set_holds_little(world: World, admin: Tokens, more: dict[str, Any]) -> None:
    """IN5: what no store takes is refused, not an error."""
    assert await faults(world, admin, jwks={"keys": [KEY]} | more) == ["jwks"]


async def test_a_key_is_kept_as_it_was_given(world: World, admin: Tokens) -> None:
    keys = {
        "keys": [KEY | {"use": "sig", "alg": "ES256", "key_ops": ["verify"], "x5c": ["AAAA"], "iat": 1, "ext": True}]
    }

    made = await world.call("POST", "/admin/clients", admin, json=WEB | {"jwks": keys | {"issuer": "x"}})

    assert made.json()["client"]["jwks"] == keys | {"issuer": "x"}
