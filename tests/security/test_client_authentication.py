"""How clients prove themselves at the token endpoint, and what is refused (RFC 6749, section 2.3; catalogue group I)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from raw_http import exchanged
from world import PASSWORD, Registered, World

from idp.domain.clients.clients import ClientSecret, digest_of_secret, new_secret, with_new_secret
from idp.repositories.clients import clients

PER_ANSWER = ("date", "x-request-id")


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


async def asked(world: World, authorization: str | bytes | None = None, **fields: str) -> httpx.Response:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return await world.http.post("/oauth2/token", data={"grant_type": "client_credentials", **fields}, headers=headers)


def refused(answer: httpx.Response) -> bool:
    """RFC 6749, section 5.2: with a challenge, and a realm in it, only for who has used the Authorization header."""
    challenge = 'Basic realm="idp", charset="UTF-8"' if "authorization" in answer.request.headers else None
    assert answer.status_code == 401, answer.text
    assert answer.json() == {"error": "invalid_client", "error_description": "Client authentication failed."}
    assert answer.headers.get("www-authenticate") == challenge
    assert answer.headers["cache-control"] == "no-store"
    return True


async def test_a_secret_is_taken_from_the_header_or_from_the_form(world: World) -> None:
    client = await world.client()

    in_header = await asked(world, basic(f"{client.client_id}:{client.secret}"))
    in_form = await asked(world, client_id=client.client_id, client_secret=client.secret or "")

    assert in_header.status_code == in_form.status_code == 200


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
async def test_the_scheme_is_read_in_any_case(world: World, scheme: str) -> None:
    """RFC 9110, section 11.1."""
    client = await world.client()
    header = basic(f"{client.client_id}:{client.secret}").replace("Basic", scheme)

    assert (await asked(world, header)).status_code == 200


async def test_header_credentials_are_form_urlencoded_first(world: World) -> None:
    """CA1. Trap 31: a literal `+` in the header is a plus sign; encoded ones are decoded (RFC 6749, section 2.3.1)."""
    secret = "p:%+é &=/ä"
    client = await world.client(secrets=(ClientSecret(digest_of_secret(secret)),))

    encoded = await asked(world, basic(f"{client.client_id}:{quote(secret, safe='')}"))
    plus = await asked(world, basic(f"{client.client_id}:{quote(secret, safe='+')}"))

    assert encoded.status_code == plus.status_code == 200


async def test_a_public_client_needs_no_secret(world: World) -> None:
    tokens = await world.signed_in(await world.client(public=True))

    assert (await world.refresh(tokens)).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!!",
        "Basic a",
        "Basic Zm9v Zm9v",
        "Basic Zm9vOmJhcg",
        basic("no-colon"),
        basic(":secret"),
        basic("client:"),
        basic(":"),
        basic("a\0b:secret"),
        basic("client:sec\0ret"),
        basic("é:é"),
        basic("%ff%00:%zz"),
        basic("c" * 65 + ":secret"),
        basic("c" * 5000 + ":" + "s" * 5000),
        basic(b"\xff\xfe:\x80"),
        "Basic é".encode(),
        b"Basic \xff\xfe",
        "Basic " + "A" * 12_000,
        "Basic\tZm9vOmJhcg==",
        "Bearer abc",
        "Digest username=x",
        "",
    ],
)
async def test_a_malformed_header_is_a_refused_client(world: World, authorization: str | bytes) -> None:
    """CA2, TE5; node-oidc-provider 9.11. Trap 6: a Basic header that is not UTF-8 is a 500 in stock Authlib."""
    assert refused(await asked(world, authorization))


async def test_a_header_of_64_kilobytes_is_refused(world: World) -> None:
    """CA2, IN7."""
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: Basic "

    answer = await exchanged(world.settings.issuer, head + b"A" * 65_536 + b"\r\n\r\n")

    assert answer is None or 400 <= answer.status < 500


async def test_two_authorization_headers_are_refused(world: World) -> None:
    """CA2."""
    client = await world.client()
    header = ("Authorization", basic(f"{client.client_id}:{client.secret}"))

    answer = await world.http.post(
        "/oauth2/token", data={"grant_type": "client_credentials"}, headers=httpx.Headers([header, header])
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_two_methods_at_once_are_refused(world: World) -> None:
    """CA3. Trap 14."""
    client = await world.client()

    answer = await asked(
        world,
        basic(f"{client.client_id}:{client.secret}"),
        client_id=client.client_id,
        client_secret=client.secret or "",
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_form_must_not_name_another_client_than_the_header(world: World) -> None:
    """CA5; oauthlib CVE-2026-118669. Trap 14."""
    client, other = await world.client(), await world.client()
    header = basic(f"{client.client_id}:{client.secret}")

    assert (await asked(world, header, client_id=client.client_id)).status_code == 200
    confused = await asked(world, header, client_id=other.client_id)

    assert (confused.status_code, confused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("registered", "presented"),
    [
        ("client_secret_basic", "post"),
        ("client_secret_post", "basic"),
        (None, "none"),
        ("client_secret_basic", "none"),
        ("none", "basic"),
        ("none", "post"),
    ],
)
async def test_only_the_registered_method_is_taken(world: World, registered: str | None, presented: str) -> None:
    """CA4, CA6; Better Auth CVE-2026-53512: a confidential client must send its secret, a public one has none to send."""
    client = await world.client(auth_method=registered, grant_types=("password", "refresh_token"))
    ways: dict[str, Callable[[], dict[str, str]]] = {
        "none": lambda: {"client_id": client.client_id},
        "post": lambda: {"client_id": client.client_id, "client_secret": client.secret or ""},
        "basic": dict,
    }
    header = basic(f"{client.client_id}:{client.secret}") if presented == "basic" else None
    email = await world.registered()
    fields = {"grant_type": "password", "username": email, "password": PASSWORD} | ways[presented]()

    answer = await asked(world, header, **fields)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("secret", [{"client_secret": ""}, {"client_secret[]": "x"}, {"client_secret": "null"}, {}])
async def test_an_empty_or_odd_secret_is_none(world: World, secret: dict[str, str]) -> None:
    """CA12."""
    client = await world.client()

    assert refused(await asked(world, client_id=client.client_id, **secret))


async def test_a_client_assertion_is_refused_while_no_client_can_have_one(world: World) -> None:
    assertion = {"client_assertion": "a.b.c", "client_assertion_type": "urn:ietf:params:oauth:x"}

    assert refused(await asked(world, client_id=(await world.client()).client_id, **assertion))


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
@pytest.mark.parametrize("proof", ["none", "post", "assertion", "basic"])
async def test_only_who_used_the_header_is_challenged(world: World, path: str, proof: str) -> None:
    """CA14: a browser that is challenged asks its user for a password, and a library loses the error."""
    fields = {"grant_type": "client_credentials", "token": "x"}
    fields |= {
        "none": {"client_id": "nobody"},
        "post": {"client_id": "nobody", "client_secret": "wrong"},
        "assertion": {"client_assertion": "a.b.c", "client_assertion_type": "urn:ietf:params:oauth:x"},
        "basic": {},
    }[proof]
    headers = {"Authorization": basic("nobody:wrong")} if proof == "basic" else {}

    answer = await world.http.post(path, data=fields, headers=headers)

    assert refused(answer)
    assert ("www-authenticate" in answer.headers) == (proof == "basic")


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_an_unknown_client_a_wrong_secret_and_a_disabled_client_look_alike(world: World, way: str) -> None:
    """CA10, CA13, TE5."""
    known, disabled = await world.client(), await world.client(enabled=False)
    attempts = [("nobody", new_secret()), (known.client_id, new_secret()), (disabled.client_id, disabled.secret or "")]

    answers = [
        await asked(world, basic(":".join(pair)))
        if way == "basic"
        else await asked(world, client_id=pair[0], client_secret=pair[1])
        for pair in attempts
    ]

    assert all(map(refused, answers))
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(it for it in answer.headers.items() if it[0] not in PER_ANSWER) for answer in answers}) == 1


async def test_both_secrets_work_while_one_replaces_the_other(world: World) -> None:
    """CA9."""
    client, newer = await world.client(), new_secret()
    known = await world.services.clients.find(client.client_id)
    assert known is not None

    now = datetime.now(UTC)
    await world.changed_client(client, secrets=with_new_secret(known.secrets, newer, now, timedelta(hours=1)))

    for secret in (client.secret, newer):
        assert (await asked(world, basic(f"{client.client_id}:{secret}"))).status_code == 200


async def test_a_secret_that_was_replaced_ends_with_its_overlap(world: World) -> None:
    """CA9."""
    client, newer = await world.client(), new_secret()
    ended = ClientSecret(digest_of_secret(client.secret or ""), datetime.now(UTC) - timedelta(seconds=1))
    await world.changed_client(client, secrets=(ClientSecret(digest_of_secret(newer)), ended))

    assert refused(await asked(world, basic(f"{client.client_id}:{client.secret}")))
    assert (await asked(world, basic(f"{client.client_id}:{newer}"))).status_code == 200


async def test_a_client_disabled_elsewhere_is_refused_a_second_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CA10. The database is changed behind this process' back, and its clock moved by that second."""
    client = await world.client()
    assert (await world.token(client.auth, grant_type="client_credentials")).status_code == 200
    await world.database.execute("UPDATE clients SET enabled = false WHERE client_id = $1", client.client_id)

    later = clients.time.monotonic() + 1.0
    monkeypatch.setattr(clients, "time", SimpleNamespace(monotonic=lambda: later))

    assert refused(await world.token(client.auth, grant_type="client_credentials"))


async def test_a_client_secret_costs_no_password_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """CA8. Trap 33: the check is synchronous, so it must be quick; the secret has 256 bits, a digest of it is enough."""
    client, hashed = await world.client(), []
    monkeypatch.setattr("idp.gateways.password_checks.bcrypt", SimpleNamespace(hashpw=hashed.append))

    right = await world.token(client.auth, grant_type="client_credentials")
    wrong = await world.token(Registered(client.client_id, "wrong").auth, grant_type="client_credentials")

    assert (right.status_code, wrong.status_code, hashed) == (200, 401, [])


async def test_a_secret_is_not_kept(world: World) -> None:
    """CA7."""
    client = await world.client()

    row = await world.database.fetchval("SELECT clients::text FROM clients WHERE client_id = $1", client.client_id)

    assert client.client_id in row
    assert (client.secret or "") not in row


async def test_no_wrong_secret_matches_when_a_client_has_none(world: World) -> None:
    client = await world.client()
    await world.changed_client(client, secrets=())

    assert refused(await world.token(client.auth, grant_type="client_credentials"))
    assert refused(await world.token(replace(client, secret="x").auth, grant_type="client_credentials"))
