"""What the token endpoint takes as a request at all (RFC 6749, sections 3.2 and 5; catalogue group H)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
from raw_http import connection, exchanged
from world import PASSWORD, SCOPE, Registered, World

FORM = "application/x-www-form-urlencoded"
FIELDS = ("grant_type", "scope", "username", "password", "client_id", "client_secret", "refresh_token", "resource")
MOST = 64 * 1024


def error_of(answer: httpx.Response, status: int = 400) -> str:
    """RFC 6749, section 5.2. TE4: no answer of the token endpoint is kept."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) <= {"error", "error_description"}
    return str(answer.json()["error"])


@pytest.fixture(scope="session")
async def client(world: World) -> Registered:
    return await world.client()


async def posted(
    world: World, client: Registered, body: str | bytes, content_type: str | None = FORM
) -> httpx.Response:
    headers = {"Content-Type": content_type} if content_type else {}
    content = body.encode() if isinstance(body, str) else body
    return await world.http.post("/oauth2/token", content=content, headers=headers, auth=client.auth)


def token_request(client: Registered) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.secret or ""}


async def test_a_token_answer_has_the_members_of_rfc_6749(world: World, client: Registered) -> None:
    """TE4, TE17. Trap 17: the lifetime that is told is the configured one, not Authlib's ten days."""
    answer = await world.token(client.auth, grant_type="client_credentials")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json()["token_type"], answer.json()["expires_in"], answer.json()["scope"]) == ("Bearer", 900, SCOPE)


@pytest.mark.parametrize(
    "repeated",
    [
        "grant_type=client_credentials",
        "scope=openid&scope=openid",
        "scope=openid&scope=email",
        "extra=1&extra=1",
        "client_id=a&client_id=a",
        "extra=1&extra=1&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example",
    ],
)
async def test_a_repeated_parameter_is_refused(world: World, client: Registered, repeated: str) -> None:
    """TE3, T8; Keycloak CVE-2026-9689. Trap 10: Authlib takes the first."""
    answer = await posted(world, client, f"grant_type=client_credentials&{repeated}")

    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize("other", ["https%3A%2F%2Fb.example", "https%3A%2F%2Fa.example"])
async def test_a_token_is_for_one_resource(world: World, client: Registered, other: str) -> None:
    """TE3, AZ30; RFC 8707, section 2: what is asked for together cannot be had."""
    resources = f"resource=https%3A%2F%2Fa.example&resource={other}"

    assert error_of(await posted(world, client, f"grant_type=client_credentials&{resources}")) == "invalid_target"


async def test_a_resource_is_no_longer_than_tokens_can_carry(world: World, client: Registered) -> None:
    """TE3: it stands in every token that is made for it."""
    longest = "https://a.example/".ljust(2000, "a")

    taken = await posted(world, client, f"grant_type=client_credentials&resource={longest}")
    assert taken.status_code == 200
    refused = await posted(world, client, f"grant_type=client_credentials&resource={longest}a")
    assert error_of(refused) == "invalid_target"


async def test_a_parameter_without_a_value_counts_as_left_out(world: World, client: Registered) -> None:
    """RFC 6749, section 3.2. Unknown ones are ignored."""
    answer = await posted(world, client, "grant_type=client_credentials&scope=&scope=openid&unknown=1")

    assert (answer.status_code, answer.json()["scope"]) == (200, "openid")


@pytest.mark.parametrize("body", ["", "grant_type=", "scope=openid", "GRANT_TYPE=client_credentials"])
async def test_a_grant_type_is_demanded(world: World, client: Registered, body: str) -> None:
    assert error_of(await posted(world, client, body)) == "invalid_request"


@pytest.mark.parametrize(
    "grant_type",
    ["implicit", "Password", " password", "password ", "client-credentials", "é", '"', "x" * 5000, "urn:example:none"],
)
async def test_an_unknown_grant_is_refused_by_its_code(world: World, client: Registered, grant_type: str) -> None:
    """TE11, TE12, TE5. Trap 23: what was sent is not repeated in the answer."""
    answer = await world.token(client.auth, grant_type=grant_type)

    assert error_of(answer) == "unsupported_grant_type"
    assert len(answer.content) < 200


@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "client_credentials"])
async def test_a_grant_that_the_client_does_not_have_is_refused(world: World, grant_type: str) -> None:
    """TE10, TE13."""
    others = tuple({"password", "refresh_token", "client_credentials"} - {grant_type})
    client = await world.client(grant_types=others)
    fields = {"username": "a@example.com", "password": PASSWORD, "refresh_token": "x"}

    assert error_of(await world.token(client.auth, grant_type=grant_type, **fields)) == "unauthorized_client"


async def test_a_public_client_gets_no_token_for_itself(world: World) -> None:
    """TE15: nothing proves that it is that client."""
    client = await world.client(public=True, grant_types=("client_credentials",))

    answer = await world.token(grant_type="client_credentials", client_id=client.client_id)

    assert error_of(answer, 401) == "invalid_client"


async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(world: World) -> None:
    """Trap 8."""
    tokens = await world.signed_in(await world.client(grant_types=("password",)))

    assert "refresh_token" not in tokens.body


async def test_a_client_token_comes_without_a_refresh_token(world: World, client: Registered) -> None:
    """TE15, TE21."""
    answer = await world.token(client.auth, grant_type="client_credentials", scope="openid offline_access")

    assert not {"refresh_token", "id_token"} & set(answer.json())


@pytest.mark.parametrize("missing", ["username", "password", "refresh_token"])
async def test_what_a_grant_needs_is_demanded(world: World, client: Registered, missing: str) -> None:
    given = {"username": "a@example.com", "password": PASSWORD} if missing != "refresh_token" else {}
    given.pop(missing, None)
    grant_type = "refresh_token" if missing == "refresh_token" else "password"

    assert error_of(await world.token(client.auth, grant_type=grant_type, **given)) == "invalid_request"


async def test_a_wrong_password_is_an_invalid_grant(world: World, client: Registered) -> None:
    """TE14. Trap 7: Authlib says invalid_request."""
    known, unknown = await world.registered(), world.new_email()

    wrong = await world.token(client.auth, grant_type="password", username=known, password=PASSWORD + "x")
    nobody = await world.token(client.auth, grant_type="password", username=unknown, password=PASSWORD)

    assert error_of(wrong) == "invalid_grant"
    assert wrong.content == nobody.content


@pytest.mark.parametrize("query", ["grant_type=client_credentials", "client_secret=x", "a", "%zz"])
async def test_nothing_is_taken_from_the_query(world: World, client: Registered, query: str) -> None:
    """TE2: a query ends up in logs."""
    answer = await world.http.post(f"/oauth2/token?{query}", data=token_request(client))

    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "",
        "x/\x7f",
        None,
        FORM + "x",
    ],
)
async def test_only_a_form_is_read(world: World, client: Registered, content_type: str | None) -> None:
    """TE1, T6, IN9; Quart PYSEC-2026-1860."""
    answer = await posted(world, client, "grant_type=client_credentials", content_type)

    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize("content_type", [f"{FORM}; charset=utf-8", FORM.upper(), f"{FORM};charset=iso-8859-1"])
async def test_a_form_is_a_form_with_parameters_too(world: World, client: Registered, content_type: str) -> None:
    assert (await posted(world, client, "grant_type=client_credentials", content_type)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"])
async def test_only_post_is_served(world: World, method: str) -> None:
    """TE1, IN13."""
    answer = await world.http.request(method, "/oauth2/token")

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", ["%00", "a%00b", "%ff", "%ED%A0%80", "%C0%80", "%F4%90%80%80", b"\xff\xfe", b"\x00"], ids=repr
)
async def test_bytes_that_are_no_text_are_refused(
    world: World, client: Registered, field: str, value: str | bytes
) -> None:
    """TE22, T5."""
    raw = value if isinstance(value, bytes) else value.encode()

    answer = await posted(world, client, f"{field}x=1&{field}=".encode() + raw)

    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "client_credentials"])
@pytest.mark.parametrize("value", ["%zz", "%", '"\\', "\u2028", "\ufeff", "é" * 2000, "x" * 60_000, "\u0301" * 9000])
async def test_odd_texts_are_refused_in_every_field(
    world: World, client: Registered, grant_type: str, value: str
) -> None:
    """TE22, RF20, IN3. Trap 6: Authlib fails on `"` and non-ASCII in some parameters."""
    for field in ("scope", "username", "password", "refresh_token", "resource"):
        fields = {"username": "a@example.com", "password": PASSWORD, "refresh_token": "x"} | {field: value}
        answer = await world.token(client.auth, grant_type=grant_type, **fields)
        needed = (
            field
            in {"password": FIELDS, "refresh_token": FIELDS, "client_credentials": ("scope", "resource")}[grant_type]
        )
        assert (400 <= answer.status_code < 500) if needed else answer.status_code < 500, (field, answer.text)


async def test_a_hundred_parameters_are_read_and_no_more(world: World, client: Registered) -> None:
    """T7."""
    many = {f"extra{number}": "1" for number in range(97)}

    assert (await posted(world, client, urlencode(token_request(client) | many))).status_code == 400  # two methods
    assert (await world.http.post("/oauth2/token", data=token_request(client) | many)).status_code == 200
    assert (
        error_of(await world.http.post("/oauth2/token", data=token_request(client) | many | {"y": "1"}))
        == "invalid_request"
    )


async def test_a_body_that_is_too_large_is_refused(world: World, client: Registered) -> None:
    """IN2, TE22: also in chunks, whose sum nobody has declared."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"a" * 1024

    declared = await posted(world, client, "a" * (MOST + 1))
    chunked = await world.http.post("/oauth2/token", content=chunks(), headers={"Content-Type": FORM}, auth=client.auth)

    assert declared.status_code == chunked.status_code == 413
    assert declared.headers["connection"] == chunked.headers["connection"] == "close"


async def test_a_compressed_body_is_not_unpacked(world: World, client: Registered) -> None:
    """IN2."""
    packed = bytes.fromhex("1f8b08000000000002ff4b2c4aceb00500d27e3c4f06000000")
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}

    answer = await world.http.post("/oauth2/token", content=packed, headers=headers, auth=client.auth)

    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize(
    "length", [b"-1", b"+1", b"1, 2", b"0x10", b"1e3", b"9" * 30, b"99999999999999999999", b"\xd9\xa1"]
)
async def test_a_content_length_that_is_no_number_or_too_large_is_refused(world: World, length: bytes) -> None:
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

    answer = await exchanged(world.settings.issuer, head + b"Content-Length: " + length + b"\r\n\r\n")

    assert answer is not None
    assert answer.status in (400, 413)


async def test_a_body_shorter_than_declared_is_no_request(world: World, client: Registered) -> None:
    """IN2: the caller goes away; nobody is answered and nothing fails."""
    async with connection(world.settings.issuer) as raw:
        await raw.send(b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant_type=")
        raw.end_of_request()
        answer = await raw.answer()

    assert answer is None or answer.status < 500
    assert (await world.token(client.auth, grant_type="client_credentials")).status_code == 200


async def test_what_follows_a_body_longer_than_declared_is_no_second_request(world: World) -> None:
    """IN2, IN12."""
    async with connection(world.settings.issuer) as raw:
        await raw.send(b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\ngrant_type=x\r\n\r\n")
        first, second = await raw.answer(), await raw.answer()

    assert first is not None
    assert first.status == 400
    assert second is None or second.status == 400
