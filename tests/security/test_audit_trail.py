"""What the trail has of attacks, and that it bears a flood of them."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from world import World


def forged(token: str) -> str:
    """Another signature under the same header and claims."""
    head, claims, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    return ".".join((head, claims, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()))


async def forgeries(world: World) -> list[dict[str, Any]]:
    await world.services.forged_tokens.write()
    return await world.events("forged_token_presented")


async def test_forged_tokens_are_one_event_with_their_number(world: World) -> None:
    """LG3, LG5: an attacker writes no row for each try."""
    token = forged((await world.signed_in()).access_token)
    before = await forgeries(world)

    answers = await asyncio.gather(*(world.profile(token) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {401}
    [event] = (await forgeries(world))[len(before) :]
    assert event["detail"] == {"count": 50}
    assert (event["address"], event["user_id"]) == ("127.0.0.1", None)


async def test_an_expired_or_unreadable_token_is_no_forgery(world: World) -> None:
    before = await forgeries(world)

    await world.profile("x")
    await world.profile("eyJhbGciOiJub25lIn0.e30.")

    assert await forgeries(world) == before


async def test_an_attempt_at_what_needs_a_role_is_told_with_who_and_what(world: World) -> None:
    """LG3."""
    tokens = await world.signed_in()
    session = await world.session(tokens)

    await world.http.get("/admin/audit", headers={"Authorization": f"Bearer {tokens.access_token}"})

    [event] = await world.events("access_denied", user_id=session["user_id"])
    assert event["detail"] == {"method": "GET", "path": "/admin/audit"}
    assert (event["session_id"], event["client_id"]) == (session["id"], "idp-rest")
    assert event["severity"] == "warning"
