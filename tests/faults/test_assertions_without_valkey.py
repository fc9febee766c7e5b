"""A client that proves itself by a key while nobody can tell whether its assertion was used before."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time

import httpx
import jwt
import pytest
from sites import Site

from keys import Key, key_set, new_key

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

CLIENT = "keyed-service"


@pytest.fixture
def key(site: Site) -> Key:
    made = new_key()
    file = site.folder / "keys.json"
    file.write_text(json.dumps(key_set(made)))
    options = ("--grant", "client_credentials", "--auth-method", "private_key_jwt", "--jwks-file", str(file))
    subprocess.run(
        [sys.executable, "-m", "idp", "clients", "create", "--id", CLIENT, "--name", "Service", *options],
        env=site.server.environment,
        cwd=site.folder,
        check=True,
        capture_output=True,
    )
    return made


async def asked(http: httpx.AsyncClient, site: Site, assertion: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    return await http.post("/oauth2/token", data=form)


async def test_nothing_is_decided_and_the_same_assertion_works_afterwards(
    site: Site, http: httpx.AsyncClient, key: Key
) -> None:
    """CA11: a 503, never a refusal that would look like a wrong key, never a token."""
    now = int(time.time())
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": site.url, "exp": now + 240, "jti": secrets.token_hex(8)}
    assertion = jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})

    site.kill("valkey")
    without = await asked(http, site, assertion)
    site.revive()
    answers = [await asked(http, site, assertion) for _ in range(2)]

    assert (without.status_code, without.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in without.headers
    assert [answer.status_code for answer in answers] == [200, 401]
