"""Clients that prove themselves by a key (CA11; RFC 7523, OpenID Connect Core, section 9)."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from forger import encoded
from places import Place, place
from test_client_authentication import basic, refused
from world import World

from keys import OF_ALGORITHM, Key, key_set, new_key

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Service:
    """A client with a key. *issuer* is whom it speaks to."""

    client_id: str
    key: Key
    issuer: str
    algorithm: str = "ES256"

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        standard = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "iat": now, "exp": now + 60}
        claims = standard | {"jti": secrets.token_hex(16)} | changed
        return {name: value for name, value in claims.items() if value is not ...}

    def signed(self, claims: dict[str, Any] | None = None, **header: Any) -> str:
        return self.raw(json.dumps(self.claims() if claims is None else claims).encode(), **header)

    def raw(self, payload: bytes, *, key: Any = None, algorithm: str | None = None, **header: Any) -> str:
        name = algorithm or self.algorithm
        head = {"alg": name, "typ": "JWT", "kid": self.key.kid} | header
        signing = f"{encoded({it: value for it, value in head.items() if value is not ...})}.{encoded(payload)}"
        signature = jwt.get_algorithm_by_name(name).sign(signing.encode(), key or self.key.private)
        return f"{signing}.{encoded(signature)}"


async def service(world: World, algorithm: str = "ES256", **properties: Any) -> Service:
    key = new_key(algorithm)
    given = {"jwks": key_set(key), "auth_method": "private_key_jwt", "secrets": ()} | properties
    client = await world.client(grant_types=("client_credentials", "password", "refresh_token"), **given)
    return Service(client.client_id, key, world.settings.issuer, algorithm)


async def asked(world: World, assertion: str, **fields: str) -> httpx.Response:
    presented = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    return await world.token(**{"grant_type": "client_credentials"} | presented | fields)


@pytest.fixture
async def client(world: World) -> Service:
    return await service(world)


@pytest.mark.parametrize("algorithm", OF_ALGORITHM)
async def test_a_client_proves_itself_by_its_key(world: World, algorithm: str) -> None:
    """Trap 11: stock Authlib refuses PS256 and EdDSA."""
    client = await service(world, algorithm)

    answer = await asked(world, client.signed())

    assert answer.status_code == 200, answer.text
    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["sub"] == client.client_id


async def test_it_works_for_every_grant(world: World, client: Service) -> None:
    email = await world.registered()
    user = {"grant_type": "password", "username": email, "password": "Correct-Horse-7"}

    signed_in = await asked(world, client.signed(), **user)
    renewed = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refresh_token"]}
    refreshed = await asked(world, client.signed(), **renewed)

    assert (signed_in.status_code, refreshed.status_code) == (200, 200)


@pytest.mark.parametrize("path", ["", "/oauth2/token"])
@pytest.mark.parametrize("listed", [False, True])
async def test_it_is_addressed_to_the_issuer_or_the_token_endpoint(
    world: World, client: Service, path: str, listed: bool
) -> None:
    audience = world.settings.issuer + path

    answer = await asked(world, client.signed(client.claims(aud=[audience] if listed else audience)))

    assert answer.status_code == 200


async def test_the_client_id_may_be_said_twice(world: World, client: Service) -> None:
    assert (await asked(world, client.signed(), client_id=client.client_id)).status_code == 200


@pytest.mark.parametrize("header", [{"kid": ...}, {"typ": ...}, {"typ": "client-authentication+jwt"}, {"x": "y"}])
async def test_a_header_says_little_and_may_say_less(world: World, client: Service, header: dict[str, Any]) -> None:
    assert (await asked(world, client.signed(**header))).status_code == 200


async def test_of_several_keys_the_one_that_is_named_or_any_fitting_one_counts(world: World, client: Service) -> None:
    other = new_key("ES256")
    listed = await service(world, jwks=key_set(new_key("RS256"), other, client.key))
    listed.key = client.key

    named = await asked(world, listed.signed())
    unnamed = await asked(world, listed.signed(kid=...))

    assert (named.status_code, unnamed.status_code) == (200, 200)
    assert refused(await asked(world, listed.signed(kid=other.kid)))


# Use once.


async def test_an_assertion_is_used_once(world: World, client: Service) -> None:
    """CA11; fosite CVE-2020-15222."""
    assertion = client.signed()

    first = await asked(world, assertion)

    assert first.status_code == 200
    assert refused(await asked(world, assertion))
    # Signed again it is another text, and the same assertion.
    claims = client.claims()
    assert (await asked(world, client.signed(claims))).status_code == 200
    assert refused(await asked(world, client.signed(claims | {"exp": claims["exp"] + 1})))


async def test_of_fifty_uses_at_once_one_wins(world: World, client: Service) -> None:
    """CA11."""
    assertion = client.signed()

    answers = await asyncio.gather(*(asked(world, assertion) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 49]


async def test_two_clients_may_choose_the_same_jti(world: World, client: Service) -> None:
    other = await service(world)

    answers = [await asked(world, it.signed(it.claims(jti="1"))) for it in (client, other)]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_what_was_used_is_forgotten_soon_after_it_has_expired(world: World, client: Service) -> None:
    before = set(await world.cache.keys("ca:*"))
    await asked(world, client.signed(client.claims(exp=int(time.time()) + 300)))

    made = set(await world.cache.keys("ca:*")) - before

    assert made
    assert all([300_000 < await world.cache.pttl(name) <= 360_000 for name in made])


async def test_a_refused_assertion_is_not_used_up(world: World, client: Service) -> None:
    """Nobody can use up what he cannot sign."""
    claims = client.claims()
    forged = client.raw(json.dumps(claims).encode(), key=new_key("ES256").private)

    assert refused(await asked(world, forged))
    assert (await asked(world, client.signed(claims))).status_code == 200


# Claims.


def later(seconds: float) -> float:
    return time.time() + seconds


@pytest.mark.parametrize(
    "changed",
    [
        *({name: ...} for name in ("iss", "sub", "aud", "exp", "jti")),
        *({name: None} for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti")),
        *({name: ["x"]} for name in ("iss", "sub", "exp", "iat", "nbf", "jti")),
        *({name: {"x": 1}} for name in ("iss", "sub", "aud", "exp", "jti")),
        *({name: True} for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti")),
        *({name: 1} for name in ("iss", "sub", "aud", "jti")),
        *({name: "1"} for name in ("exp", "iat", "nbf")),
        *({"exp": partial(later, seconds)} for seconds in (-1, -3600)),
        *({"exp": value} for value in (0, -1, float("nan"), 10**400, -(10**400))),
        *({name: partial(later, 60)} for name in ("iat", "nbf")),
        *({name: value} for name in ("iat", "nbf") for value in (1e308, float("nan"), float("inf"), 10**400)),
        *(
            {"aud": value}
            for value in ("", "https://other.example", [], ["https://other.example"], [1], [None], [["x"]])
        ),
        {"iss": "other"},
        {"sub": "other"},
        {"sub": "a\0b"},
        {"sub": "\ud800"},
        {"jti": ""},
        {"jti": "x" * 256},
        {"jti": "\ud800"},
    ],
)
async def test_a_claim_that_is_missing_wrong_or_odd_refuses_it(
    world: World, client: Service, changed: dict[str, Any]
) -> None:
    """CA11. Trap 13."""
    given = {name: value() if callable(value) else value for name, value in changed.items()}

    assert refused(await asked(world, client.signed(client.claims(**given))))


@pytest.mark.parametrize("ahead", [320, 3600, 10**9, 1e308, float("inf")])
async def test_who_signs_for_too_long_is_told_the_maximum(world: World, client: Service, ahead: float) -> None:
    """CA11. Libraries sign for an hour unless told otherwise; nobody but the holder of the key learns more than before."""
    claims = client.claims(exp=time.time() + ahead)

    answer = await asked(world, client.signed(claims))
    forged = await asked(world, client.signed(claims)[:-8] + "AAAAAAAA")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "at most 300 seconds ahead" in answer.json()["error_description"]
    assert refused(forged)


@pytest.mark.parametrize("more", ["https://api.example", "{issuer}", "{issuer}/oauth2/token"])
async def test_it_is_addressed_to_nobody_else(world: World, client: Service, more: str) -> None:
    """CA11: who else is named could present it here."""
    issuer = world.settings.issuer

    assert refused(await asked(world, client.signed(client.claims(aud=[issuer, more.format(issuer=issuer)]))))


@pytest.mark.parametrize(
    "suffix", ["/", "/oauth2/token/", "/oauth2/token?x=1", "/oauth2/authorize", "#", ".evil.example"]
)
async def test_the_address_is_exact(world: World, client: Service, suffix: str) -> None:
    """CA11."""
    assert refused(await asked(world, client.signed(client.claims(aud=world.settings.issuer + suffix))))


# Signatures and headers.


async def test_only_a_key_of_the_client_counts(world: World, client: Service) -> None:
    """CA11."""
    other = await service(world)

    forged = client.raw(json.dumps(client.claims()).encode(), key=other.key.private)
    named = client.raw(json.dumps(client.claims()).encode(), key=other.key.private, kid=other.key.kid)

    assert refused(await asked(world, forged))
    assert refused(await asked(world, named))


async def test_no_algorithm_but_those_four_is_taken(world: World) -> None:
    """CA11: alg none, and HS256 under what everybody knows."""
    client = await service(world, "RS256")
    claims = encoded(json.dumps(client.claims()).encode())
    pem = client.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    for name in ("none", "None", "NONE", "nOnE", "", "HS256", "RS384", "RS512", "RS1", "ES512", "Ed25519", "dir", 5):
        for signature in ("", encoded(b"x"), encoded(pem)):
            assert refused(await asked(world, f"{encoded({'alg': name, 'kid': client.key.kid})}.{claims}.{signature}"))
    signing = f"{encoded({'alg': 'HS256', 'kid': client.key.kid})}.{claims}"
    for secret in (pem, json.dumps(client.key.public).encode(), b""):
        hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing.encode(), secret)
        assert refused(await asked(world, f"{signing}.{encoded(hmac)}"))
    for name in ("RS384", "RS512", "PS384", "PS512"):
        assert refused(await asked(world, client.raw(json.dumps(client.claims()).encode(), algorithm=name)))


async def test_one_key_does_not_sign_by_the_name_of_another_algorithm(world: World) -> None:
    client = await service(world, "RS256")

    mislabelled = client.raw(json.dumps(client.claims()).encode(), **{"alg": "PS256"})

    assert refused(await asked(world, mislabelled))
    assert refused(await asked(world, client.signed(alg="ES256")))


@pytest.mark.parametrize(("registered", "taken"), [("PS256", True), ("RS256", False), ("ES256", False)])
async def test_a_registered_algorithm_is_the_only_one(world: World, registered: str, taken: bool) -> None:
    client = await service(world, "PS256", token_endpoint_auth_signing_alg=registered)

    answer = await asked(world, client.signed())

    assert answer.status_code == 200 if taken else refused(answer)


@pytest.mark.parametrize("use", [{"use": "enc"}, {"alg": "RS256"}])
async def test_a_key_for_something_else_does_not_sign(world: World, use: dict[str, str]) -> None:
    key = new_key("PS256")
    client = await service(world, "PS256", jwks={"keys": [key.public | use]})
    client.key = key

    assert refused(await asked(world, client.signed()))


async def test_no_key_comes_with_the_assertion(world: World, client: Service) -> None:
    """CA11: jwk, jku, x5u, x5c; crit, and a payload that is not encoded (RFC 7797)."""
    own = new_key("ES256")
    async with place() as evil:
        evil.says(json.dumps(key_set(own)).encode())
        url = f"http://127.0.0.1:{evil.port}/"
        tricks: list[dict[str, Any]] = [
            {"jwk": own.public, "kid": own.kid},
            {"jku": url, "kid": own.kid},
            {"x5u": url},
            {"x5c": ["AAAA"]},
        ]
        for header in tricks:
            forged = client.raw(json.dumps(client.claims()).encode(), key=own.private, **header)
            assert refused(await asked(world, forged))
            assert refused(await asked(world, client.signed(**header)))
        assert evil.asked == []
    for header in ({"crit": ["exp"]}, {"crit": "x"}, {"crit": 5}, {"crit": []}, {"b64": False}, {"b64": True}):
        assert refused(await asked(world, client.signed(**header)))


@pytest.mark.parametrize(
    "kid", [5, None, [], {}, True, "", "x" * 1000, "../../etc/passwd", "' OR 1=1", "\ud800", "a\0b"]
)
async def test_an_odd_kid_names_no_key(world: World, client: Service, kid: Any) -> None:
    """CA11."""
    assert refused(await asked(world, client.signed(kid=kid)))


async def test_what_is_no_jwt_is_a_refused_client(world: World, client: Service) -> None:
    """CA11, trap 6: never a 500."""
    good = client.signed()
    head, claims, signature = good.split(".")
    odd = [
        *(
            "a",
            "a.b",
            "a.b.c",
            "..",
            "...",
            "a.b.c.d",
            "é.é.é",
            f"{head}.{claims}",
            f"{head}.{claims}.",
            f".{claims}.{signature}",
        ),
        *(
            f"{head}..{signature}",
            f"{good}.x",
            f"{head}.{claims}.é",
            f"{head}.{claims}.{signature}é",
            f" {good}x",
            good[:-4],
        ),
        *(
            f"{encoded(part)}.{claims}.{signature}"
            for part in (b"\xff\xfe", b"{", b"[]", b"null", b"5", b'"x"', b"[" * 9999)
        ),
        *(
            f"{head}.{encoded(part)}.{signature}"
            for part in (b"\xff", b"{", b"[]", b"null", b'{"exp": ' + b"9" * 5000 + b"}")
        ),
        encoded({"alg": "ES256", "kid": client.key.kid, "x": "y" * 600}) + f".{claims}.{signature}",
        "a" * 9000,
        f"{head}.{claims}.{'A' * 3000}",
    ]

    for text in odd:
        assert refused(await asked(world, text)), text


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"[]", b"null", b"", b"{}", b'"text"', b"5"])
async def test_what_is_signed_must_be_claims(world: World, client: Service, payload: bytes) -> None:
    assert refused(await asked(world, client.raw(payload)))


# What else a client may and may not do.


@pytest.mark.parametrize(
    "kind", ["", "x", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", JWT_BEARER.upper(), JWT_BEARER + "\n"]
)
async def test_there_is_one_type_of_assertion(world: World, client: Service, kind: str) -> None:
    assert refused(await asked(world, client.signed(), client_assertion_type=kind))


async def test_half_of_it_is_nothing(world: World, client: Service) -> None:
    bare = {"grant_type": "client_credentials", "client_id": client.client_id}

    assert refused(await world.token(**bare, client_assertion=client.signed()))
    assert refused(await world.token(**bare, client_assertion_type=JWT_BEARER))
    assert refused(await world.token(**bare))


async def test_two_methods_at_once_are_refused(world: World, client: Service) -> None:
    """CA3."""
    presented = {"client_assertion_type": JWT_BEARER, "client_assertion": client.signed()}
    header = {"Authorization": basic(f"{client.client_id}:x")}
    grant = {"grant_type": "client_credentials"}

    in_form = await world.token(**grant, **presented, client_secret="x")
    in_header = await world.http.post("/oauth2/token", data=grant | presented, headers=header)

    for answer in (in_form, in_header):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_form_names_no_other_client(world: World, client: Service) -> None:
    """CA5."""
    other = await service(world)

    assert refused(await asked(world, client.signed(), client_id=other.client_id))


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post", "none"])
async def test_a_client_registered_for_something_else_cannot_use_its_keys(world: World, method: str | None) -> None:
    """CA4."""
    client = await service(world, auth_method=method)

    assert refused(await asked(world, client.signed()))


async def test_a_client_with_a_key_cannot_use_a_secret(world: World) -> None:
    """CA4."""
    key = new_key()
    client = await world.client(auth_method="private_key_jwt", jwks=key_set(key))

    assert refused(await world.token(client.auth, grant_type="client_credentials"))
    form = {"client_id": client.client_id, "client_secret": client.secret or ""}
    assert refused(await world.token(grant_type="client_credentials", **form))


@pytest.mark.parametrize("properties", [{"enabled": False}, {"jwks": None}, {"jwks": {"keys": []}}])
async def test_a_client_that_is_disabled_or_has_no_key_gets_nothing(world: World, properties: dict[str, Any]) -> None:
    """CA10."""
    client = await service(world, **properties)

    assert refused(await asked(world, client.signed()))


async def test_changing_to_a_key_ends_the_secret_and_back_makes_a_new_one(world: World) -> None:
    admin, key = await world.admin(), new_key()
    made = await world.call("POST", "/admin/clients", admin, json={"name": "S", "grantTypes": ["client_credentials"]})
    path, secret = f"/admin/clients/{made.json()['clientId']}", made.json()["clientSecret"]

    to_key = {"tokenEndpointAuthMethod": "private_key_jwt", "jwks": key_set(key)}
    changed = await world.call("PUT", path, admin, json=to_key)
    rotated = await world.call("POST", f"{path}/secret", admin)
    back = await world.call("PUT", path, admin, json={"tokenEndpointAuthMethod": "client_secret_basic"})

    assert (changed.json()["clientSecret"], rotated.status_code) == (None, 409)
    assert refused(await world.token(httpx.BasicAuth(made.json()["clientId"], secret), grant_type="client_credentials"))
    renewed = httpx.BasicAuth(made.json()["clientId"], back.json()["clientSecret"])
    assert (await world.token(renewed, grant_type="client_credentials")).status_code == 200


# Keys that a client publishes.


@pytest.fixture
async def publisher() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


async def publishing(world: World, publisher: Place, *keys: Key) -> Service:
    publisher.says(json.dumps(key_set(*keys)).encode())
    client = await service(world, jwks=None, jwks_uri=f"http://127.0.0.1:{publisher.port}/jwks")
    client.key = keys[0]
    return client


async def test_keys_are_read_where_the_client_publishes_them_once(world: World, publisher: Place) -> None:
    client = await publishing(world, publisher, new_key(), new_key("RS256"))

    answers = await asyncio.gather(*(asked(world, client.signed()) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(publisher.asked) == 1


async def test_assertions_that_name_other_keys_cause_no_storm(world: World, publisher: Place) -> None:
    """CA11: whoever sends them, the client's server is asked once in half a minute."""
    client = await publishing(world, publisher, new_key())

    for _ in range(10):
        assert refused(await asked(world, client.signed(kid=secrets.token_hex(4))))

    assert len(publisher.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5, null, {}]}', b"\xff", b"[" * 50_000, b"<html>"]
)
async def test_what_is_no_set_of_keys_is_a_refused_client(world: World, publisher: Place, body: bytes) -> None:
    client = await publishing(world, publisher, new_key())
    publisher.says(body)

    assert refused(await asked(world, client.signed()))


async def test_a_published_set_may_hold_keys_that_are_none_of_ours(world: World, publisher: Place) -> None:
    key = new_key()
    client = await publishing(world, publisher, key)
    others = [{"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-521"}, {"kty": "future"}, 5]
    publisher.says(json.dumps({"keys": [*others, key.public | {"x5t": "x", "key_ops": ["verify"]}]}).encode())

    assert (await asked(world, client.signed())).status_code == 200
