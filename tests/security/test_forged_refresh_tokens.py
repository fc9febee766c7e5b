"""Refresh tokens that this server never wrote: refused without a store being asked, and harming nobody (RF15, RF20, TE19)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from world import Tokens, World

from idp.domain.tokens.refresh_tokens import PREFIX, RefreshToken, RefreshTokenFormat

SIGNED = base64.urlsafe_b64decode


@pytest.fixture
async def tokens(world: World) -> Tokens:
    return await world.signed_in()


@asynccontextmanager
async def no_store_asked(world: World) -> AsyncIterator[None]:
    """The table of sessions is locked meanwhile, so a look into it would never return; and Valkey counts its commands."""

    async def scripts() -> int:
        commands = await world.cache.info("commandstats")
        return sum(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))

    before = await scripts()
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE sessions, users IN ACCESS EXCLUSIVE MODE")
        yield
    assert await scripts() == before


async def refused_everywhere(world: World, forged: str) -> bool:
    answers = [
        await world.post("/auth/refresh", refreshToken=forged),
        await world.token(grant_type="refresh_token", client_id="idp-rest", refresh_token=forged),
    ]
    assert [(it.status_code, it.json()["error"]) for it in answers] == [
        (401, "invalid_token"),
        (400, "invalid_grant"),
    ], forged
    return True


async def test_no_character_can_be_changed(world: World, tokens: Tokens) -> None:
    """TE19: every position, and the family is not ended by it."""
    text = tokens.refresh_token

    async with no_store_asked(world):
        for place, letter in enumerate(text):
            other = "A" if letter != "A" else "B"
            assert await refused_everywhere(world, text[:place] + other + text[place + 1 :])

    assert (await world.refresh(tokens)).status_code == 200


async def test_no_bit_can_be_changed(world: World, tokens: Tokens) -> None:
    raw = SIGNED(tokens.refresh_token.removeprefix(PREFIX))
    assert world.tokens.read(tokens.refresh_token) is not None

    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert world.tokens.read(PREFIX + base64.urlsafe_b64encode(changed).decode()) is None, bit


async def test_no_length_but_its_own_is_read(world: World, tokens: Tokens) -> None:
    """TE19; Zitadel CVE-2026-27840: a truncated token is not a token."""
    text = tokens.refresh_token
    lengths = [text[:cut] for cut in (1, 7, 8, 50, 103, len(text) - 4, len(text) - 1)]
    lengths += [text[cut:] for cut in (1, 7, 8)]
    lengths += [text + more for more in ("A", "AAAA", "=", "==", ".", text)]

    async with no_store_asked(world):
        assert all([await refused_everywhere(world, forged) for forged in lengths])

    assert (await world.refresh(tokens)).status_code == 200


async def test_a_token_has_one_spelling(world: World) -> None:
    """TE19: another alphabet, padding, white space, another case of letters or prefix."""
    families = [await world.signed_in() for _ in range(8)]
    tokens = next(it for it in families if set("-_") & set(it.refresh_token.removeprefix(PREFIX)))
    text = tokens.refresh_token
    body = text.removeprefix(PREFIX)
    spellings = [
        PREFIX + body.replace("-", "+").replace("_", "/"),
        f" {text}",
        f"{text} ",
        f"{text}\n",
        f"\ufeff{text}",
        text[:-1] + "=",
        text[:-2] + "==",
        text[:-1] + "\n",
        text[:50] + " " + text[50:],
        text[:50] + "\n" + text[51:],
        PREFIX.upper() + body,
        PREFIX + body.swapcase(),
        "IDP" + text[3:],
        body,
        PREFIX + SIGNED(body).hex(),
        text.replace("_", "\uff3f", 1),
        "".join(chr(ord(letter) + 0xFEE0) for letter in text),
    ]

    async with no_store_asked(world):
        assert all([await refused_everywhere(world, forged) for forged in spellings])

    assert (await world.refresh(tokens)).status_code == 200


async def test_another_key_signs_nothing(world: World, tokens: Tokens) -> None:
    """The forger knows everything that stands in a token, but not the key."""
    read = world.tokens.read(tokens.refresh_token)
    assert read is not None
    foreign = RefreshTokenFormat([b"k" * 32])
    invented = RefreshToken(uuid4(), 1, read.issued_at, b"n" * 16)

    async with no_store_asked(world):
        assert await refused_everywhere(world, foreign.write(read))
        assert await refused_everywhere(world, foreign.write(invented))

    assert (await world.refresh(tokens)).status_code == 200


async def test_the_mac_covers_the_whole_body(world: World, tokens: Tokens) -> None:
    """The body of one token under the signature of another."""
    other = await world.signed_in()
    mine, theirs = (SIGNED(it.refresh_token.removeprefix(PREFIX)) for it in (tokens, other))

    async with no_store_asked(world):
        assert await refused_everywhere(world, PREFIX + base64.urlsafe_b64encode(mine[:-32] + theirs[-32:]).decode())


@pytest.mark.parametrize(
    "text", ["x", "null", "[]", "é", "\u202e", "a" * 9_999, PREFIX, PREFIX * 16, "eyJhbGciOiJub25lIn0.e30."]
)
async def test_garbage_is_an_invalid_token(world: World, text: str) -> None:
    """RF20; Rauthy 0.36.2."""
    async with no_store_asked(world):
        assert await refused_everywhere(world, text)


async def test_an_access_token_is_no_refresh_token(world: World, tokens: Tokens) -> None:
    """RF15, TE18."""
    async with no_store_asked(world):
        assert await refused_everywhere(world, tokens.access_token)


async def test_a_refresh_token_is_no_access_token(world: World, tokens: Tokens) -> None:
    """RF15."""
    answer = await world.profile(tokens.refresh_token)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
async def test_only_a_post_refreshes(world: World, tokens: Tokens, path: str) -> None:
    """RF15, rodauth CVE-2026-82469 class: no GET with an access token gives a refresh token."""
    headers = {"Authorization": f"Bearer {tokens.access_token}"}

    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert (await world.http.request(method, path, headers=headers)).status_code == 405


async def test_a_token_of_a_family_that_never_was_is_refused(world: World) -> None:
    """Authentic, so the stores are asked, and know nothing."""
    assert await refused_everywhere(world, world.tokens.write(RefreshToken(uuid4(), 1, 0, b"n" * 16)))


async def test_signing_out_with_a_forged_token_is_no_error_and_ends_nothing(world: World, tokens: Tokens) -> None:
    async with no_store_asked(world):
        answer = await world.post("/auth/logout", refreshToken=tokens.refresh_token[:-1] + "!")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.refresh(tokens)).status_code == 200


async def test_no_store_holds_a_token(world: World, tokens: Tokens) -> None:
    """RF16."""
    kept = await world.cache.hgetall(world.family_key(tokens))
    row = await world.database.fetchval("SELECT s::text FROM sessions s WHERE family_id = $1", world.family(tokens))

    assert kept
    assert row
    raw = SIGNED(tokens.refresh_token.removeprefix(PREFIX))
    assert not any(raw[-32:] in value or tokens.refresh_token.encode() in value for value in kept.values())
    assert tokens.refresh_token not in row
