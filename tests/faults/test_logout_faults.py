"""Signing out while a store is down: never a success that did not happen."""

from __future__ import annotations

import secrets

import httpx
import pytest
from clients import PASSWORD
from hosted import form_of
from sites import Site

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]


async def sign_in(http: httpx.AsyncClient) -> httpx.Response:
    """On the hosted page, as somebody new. The page to sign out."""
    email = f"user-{secrets.token_hex(8)}@example.com"
    made = await http.post("/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"})
    assert made.status_code == 201
    fields = form_of(await http.get("/login")).fields | {"email": email, "password": PASSWORD}
    assert (await http.post("/login", data=fields)).status_code == 303
    page = await http.get("/logout")
    assert 'id="sign-out"' in page.text
    return page


async def test_without_postgres_nobody_is_told_that_they_are_signed_out(site: Site, http: httpx.AsyncClient) -> None:
    page = await sign_in(http)
    site.stores.stop_postgres()

    answer = await http.post("/logout", data=form_of(page).fields)

    site.stores.start_postgres()
    site.server.await_ready()
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers
    assert 'id="sign-out"' in (await http.get("/logout")).text


async def test_without_valkey_users_sign_out_all_the_same(site: Site, http: httpx.AsyncClient) -> None:
    page = await sign_in(http)
    kept = dict(http.cookies)
    site.kill("valkey")

    answer = await http.post("/logout", data=form_of(page).fields | {"request": "a-request-that-waited"})

    site.revive()
    http.cookies.update(kept)
    assert answer.status_code == 200
    assert 'id="sign-out"' not in (await http.get("/logout")).text
