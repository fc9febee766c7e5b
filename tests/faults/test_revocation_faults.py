"""Tokens given back, asked about and read while a store is down: never a success that did not happen."""

from __future__ import annotations

import httpx
import pytest
from clients import Client
from sites import Site

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]


async def revoke(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post("/oauth2/revoke", data={"token": token, "client_id": "idp-rest"})


async def introspect(site: Site, http: httpx.AsyncClient, token: str) -> httpx.Response:
    demo = ("demo-app", site.server.demo_secret())
    return await http.post("/oauth2/introspect", data={"token": token}, auth=demo)


async def profile(http: httpx.AsyncClient, token: str) -> int:
    return (await http.get("/auth/profile", headers={"Authorization": f"Bearer {token}"})).status_code


def says_try_again(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["error"], answer.headers["retry-after"].isdigit()) == (
        503,
        "temporarily_unavailable",
        True,
    )


async def test_what_could_not_be_stored_is_not_revoked_and_not_answered_so(
    site: Site, http: httpx.AsyncClient, clients: list[Client]
) -> None:
    """IR8; fosite CVE-2020-15223."""
    (one, other), bearer = clients[:2], {"Authorization": f"Bearer {clients[0].access_token}"}
    site.stores.stop_postgres()

    answers = [
        await revoke(http, one.access_token),
        await revoke(http, other.token),
        await introspect(site, http, one.access_token),
        await http.get("/oauth2/userinfo", headers=bearer),
    ]

    site.stores.start_postgres()
    site.server.await_ready()
    assert all(says_try_again(answer) for answer in answers)
    assert [await profile(http, client.access_token) for client in (one, other)] == [200, 200]
    assert not await other.is_refused()
    assert [(await revoke(http, token)).status_code for token in (one.access_token, other.token)] == [200, 200]
    assert await profile(http, one.access_token) == 401


async def test_without_valkey_a_token_is_given_back_all_the_same(
    site: Site, http: httpx.AsyncClient, clients: list[Client]
) -> None:
    """IR8: the record in Postgres is what counts."""
    one = clients[0]
    site.stores.stop_valkey()

    answer = await revoke(http, one.token)

    site.stores.start_valkey()
    assert answer.status_code == 200
    assert await one.is_refused()
    assert await profile(http, one.access_token) == 401


async def test_of_a_refresh_token_nothing_is_said_while_valkey_is_down(
    site: Site, http: httpx.AsyncClient, clients: list[Client]
) -> None:
    """IR8: nobody knows then whether it was used. What forgets nothing answers: access tokens, and what is no token."""
    form = {"grant_type": "password", "username": clients[0].email, "password": "Correct-Horse-7"}
    demo = ("demo-app", site.server.demo_secret())
    tokens = (await http.post("/oauth2/token", data=form, auth=demo)).json()
    site.stores.stop_valkey()

    of_refresh = await introspect(site, http, tokens["refresh_token"])
    others = [(await introspect(site, http, token)).json()["active"] for token in (tokens["access_token"], "x")]

    site.stores.start_valkey()
    assert says_try_again(of_refresh)
    assert others == [True, False]
    assert (await introspect(site, http, tokens["refresh_token"])).json()["active"] is True
