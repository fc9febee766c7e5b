"""What an operation declares is what its answers have."""

from __future__ import annotations

from world import World


async def test_an_answer_without_a_body_names_no_type(world: World) -> None:
    tokens = await world.signed_in()

    asked = await world.post("/auth/forgot-password", email=world.new_email())
    ended = await world.post("/auth/logout", refreshToken=tokens.refresh_token)

    assert [(answer.status_code, answer.content) for answer in (asked, ended)] == [(202, b""), (204, b"")]
    assert not any("content-type" in answer.headers for answer in (asked, ended))


async def test_who_may_not_call_is_told_so_before_what_is_wrong_with_the_body(world: World) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await world.http.post("/auth/change-password", content=b"{", headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
