"""What Authlib does by default and this server does not: what it writes to the log, and what it thinks of plain HTTP."""

from __future__ import annotations

import logging

import pytest
from world import PASSWORD, World


async def test_authlib_writes_no_token_to_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Trap 21: at debug level its grants print tokens and clients. The level of the root logger does not reach it."""
    client, email = await world.client(), await world.registered()
    with caplog.at_level(logging.DEBUG):
        tokens = await world.signed_in(client, email)
        await world.refreshed(tokens)
        await world.token(client.auth, grant_type="client_credentials")
        logging.getLogger("idp.probe").debug("seen")

    assert "seen" in caplog.messages
    assert not [record for record in caplog.records if record.name.startswith("authlib")]
    for secret in (tokens.access_token, tokens.refresh_token, client.secret or "", PASSWORD):
        assert secret not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https", "javascript"])
async def test_the_scheme_behind_a_proxy_is_no_concern_of_the_token_endpoint(world: World, scheme: str) -> None:
    """Trap 22: Authlib refuses http from within a constructor, which would be a 500 behind a proxy that ends TLS."""
    client = await world.client()

    answer = await world.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=client.auth,
        headers={"X-Forwarded-Proto": scheme, "Host": "id.example"},
    )

    assert answer.status_code == 200


async def test_one_place_registers_each_grant(world: World) -> None:
    """Trap 29: a second one of a name would shadow the first."""
    names = world.services.authorization_server.grant_types

    assert len(names) == len(set(names))
    assert {"password", "refresh_token", "client_credentials"} <= set(names)
