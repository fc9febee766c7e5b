"""How a bearer token is presented (RFC 6750, section 2.1)."""

from __future__ import annotations

import zlib

import pytest
from forger import encoded, refused
from raw_http import exchanged
from world import Tokens, World

from idp.domain.errors import InvalidToken


@pytest.fixture(scope="module")
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


@pytest.mark.parametrize(
    "text", ["a", ".", "..", "...", "....", "a.b.c", "a.b.c.d.e", "." * 9000, "a" * 9000, "e30.e30.e30"]
)
async def test_garbage_is_refused(world: World, text: str) -> None:
    """JW11; golang-jwt CVE-2025-30204: neither five parts nor many dots."""
    assert await refused(world, text)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 2**31 - 1},
        {"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"},
    ],
    ids=["a bomb in zip", "a key of two thousand million rounds", "a key of ours"],
)
async def test_an_encrypted_token_is_neither_unpacked_nor_decrypted(world: World, header: dict[str, object]) -> None:
    """JW11; Authlib CVE-2025-62706, lestrrat/jwx CVE-2023-49290."""
    bomb = zlib.compress(b"\0" * 1_000_000)

    assert await refused(world, ".".join(map(encoded, (header, b"key", b"vector", bomb, b"tag"))))


async def test_a_token_of_a_megabyte_is_refused(world: World) -> None:
    """JW11; Authlib CVE-2025-61920."""
    head = b"GET /auth/profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "

    answer = await exchanged(world.settings.issuer, head + b"a" * 1_000_000 + b"\r\n\r\n")

    assert answer is None or answer.status in (400, 401, 431)
    assert (await world.http.get("/health")).status_code == 200


@pytest.mark.parametrize("text", ["\ud800.a.b", "a.\udfff.b", "\ud800", "é.é.é", "\0", ""])
async def test_text_that_no_header_can_carry_is_refused_too(world: World, text: str) -> None:
    """T14: joserfc lets a bare UnicodeEncodeError out."""
    with pytest.raises(InvalidToken):
        await world.services.access_tokens.bearer(text)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer {}", 200),
        ("bEaReR {}", 200),
        ("Bearer  {}", 200),
        ("Bearer\t{}", 401),
        ("Basic {}", 401),
        ("Token {}", 401),
        ("{}", 401),
        ("Bearer", 401),
        ("Bearer {} x", 401),
        ("Bearer x, Bearer {}", 401),
        ("Bearer \xff{}", 401),
    ],
)
async def test_the_header_is_read_strictly(world: World, tokens: Tokens, header: str, status: int) -> None:
    """UI5."""
    value = header.format(tokens.access_token).encode("latin-1")

    assert (await world.http.get("/auth/profile", headers={"Authorization": value})).status_code == status


async def test_two_headers_or_a_token_elsewhere_are_refused(world: World, tokens: Tokens) -> None:
    """UI2, UI5, SE16; Keycloak CVE-2019-3868: not in the query, not in a cookie."""
    token = tokens.access_token
    pair = ("Authorization", f"Bearer {token}")

    answers = [
        await world.http.get("/auth/profile", headers=[pair, pair]),
        await world.http.get(f"/auth/profile?access_token={token}"),
        await world.http.get("/auth/profile", headers={"Cookie": f"access_token={token}; session={token}"}),
        await world.http.get("/auth/profile", headers={"X-Authorization": f"Bearer {token}"}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4
