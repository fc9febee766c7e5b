"""In which mode refusals go to the client (group AZ)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hosted import Party, answer_of, form_of
from world import World


async def asked(world: World, fields: dict[str, str], method: str) -> httpx.Response:
    where = {"params": fields} if method == "GET" else {"data": fields}
    return await world.http.request(method, "/oauth2/authorize", **where)


def object_of(**claims: Any) -> str:
    """A request object that nobody has signed."""
    head, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)
    )
    return f"{head}.{payload}."


# What is asked for → where the refusal is looked for.
ANSWERED_IN: dict[str, tuple[str, dict[str, str | None]]] = {
    **{f"type {it}": ("fragment", {"response_type": it}) for it in ("token", "id_token", "id_token token")},
    **{f"type {it}": ("fragment", {"response_type": it}) for it in ("code id_token", "token code", "code  token")},
    **{f"type {it}": ("query", {"response_type": it}) for it in ("none", "code code", "CODE", "tokens")},
    "no type": ("query", {"response_type": None}),
    "tokens never in the query": ("fragment", {"response_type": "id_token", "response_mode": "query"}),
    "tokens by form": ("form_post", {"response_type": "code token", "response_mode": "form_post"}),
    "a mode that there is none": ("query", {"response_mode": "web_message"}),
    "none of tokens": ("fragment", {"response_type": "id_token", "response_mode": "jwt"}),
    "mode of the object": ("form_post", {"request": object_of(response_mode="form_post")}),
    "mode of both": ("form_post", {"request": object_of(response_mode="form_post"), "response_mode": "fragment"}),
    "mode beside the object": ("form_post", {"request": object_of(), "response_mode": "form_post"}),
    "type of the object": ("fragment", {"request": object_of(response_type="id_token"), "response_type": None}),
    "no mode in the object": ("query", {"request": object_of(response_mode=["form_post"], state={})}),
    "an object of its own kind": ("query", {"request": "W10.W10.W10"}),
    "no object": ("query", {"request": "a.\N{SNOWMAN}.b"}),
    "an encrypted object": ("fragment", {"request": "a.b.c.d.e", "response_mode": "fragment"}),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("mode", "changes"), ANSWERED_IN.values(), ids=ANSWERED_IN)
async def test_a_refusal_comes_where_the_client_looks_for_the_answer(
    world: World, mode: str, changes: dict[str, str | None], method: str
) -> None:
    """AZ9: OAuth 2.0 Multiple Response Type Encoding Practices, section 5; OpenID Connect Core, section 6.1."""
    party = await Party.registered(world)

    answer = await asked(world, party.request(**changes), method)

    if mode == "form_post":
        told = form_of(answer).fields
    else:
        assert urlsplit(answer.headers["location"])._replace(query="", fragment="").geturl() == party.redirect_uri
        assert bool(urlsplit(answer.headers["location"]).fragment) is (mode == "fragment")
        told = answer_of(answer)
    assert (told["state"], told["iss"]) == (party.state, world.settings.issuer)
    assert told["error"] in ("unsupported_response_type", "invalid_request", "request_not_supported")


@pytest.mark.parametrize("kept", [True, False])
async def test_the_state_of_a_request_object_comes_back_where_none_is_beside_it(world: World, kept: bool) -> None:
    """AZ5, AZ9: unverified; too long a one does not."""
    party = await Party.registered(world)
    claimed = "s" * (4096 if kept else 4097)

    changes = {"state": None, "request": object_of(state=claimed, response_mode="fragment")}
    told = answer_of(await asked(world, party.request(**changes), "GET"))

    assert told.get("state") == (claimed if kept else None)
