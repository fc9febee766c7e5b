"""Keys for ID tokens in other algorithms (JW): who asks for one gets it, and none of them opens anything."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from forger import Forger, encoded, forger_of, refused
from world import World

from idp.bootstrap import now
from idp.bootstrap.administration import key_provision
from idp.domain.clients.clients import Client
from idp.domain.errors import Conflict, NotFound, Unavailable
from idp.domain.operation.signing_keys import ALGORITHM, ALGORITHMS
from idp.gateways.key_files import KeyFiles
from idp.services.clients.client_registration import ClientRegistration
from idp.services.operation.key_administration import KeyAdministration

OTHERS = [algorithm for algorithm in ALGORITHMS if algorithm != ALGORITHM]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


# --- what they sign


@dataclass
class KeyOfOurs:
    kid: str
    key: jwt.PyJWK


@pytest.fixture(scope="module")
async def own_keys(world: World) -> dict[str, KeyOfOurs]:
    """By algorithm, the server's own private ones."""
    await asyncio.to_thread(world.services.keys.provide, ALGORITHMS)
    kids = {key.algorithm: key.kid for key in world.services.keys.list() if key.state == "active"}
    files = {algorithm: world.settings.keys_dir / f"{kid}.json" for algorithm, kid in kids.items()}
    return {
        algorithm: KeyOfOurs(kids[algorithm], jwt.PyJWK(json.loads(file.read_text())))
        for algorithm, file in files.items()
    }


@pytest.fixture(scope="module")
async def forger(world: World, own_keys: dict[str, KeyOfOurs]) -> Forger:
    return await forger_of(world, await world.signed_in())


async def test_an_access_token_is_good_beside_keys_of_every_algorithm(world: World, forger: Forger) -> None:
    assert (await world.profile(forger.genuine)).status_code == 200
    assert (await world.profile(forger.signed())).status_code == 200


@pytest.mark.parametrize("algorithm", OTHERS)
async def test_a_key_for_id_tokens_verifies_no_access_token(
    world: World, forger: Forger, own_keys: dict[str, KeyOfOurs], algorithm: str
) -> None:
    """JW1, JW21: whatever else the token says of itself."""
    own = own_keys[algorithm]

    for header in ({"alg": algorithm}, {"alg": "RS256"}, {"alg": "none"}, {"alg": algorithm, "typ": "JWT"}):
        assert await refused(
            world, forger.signed(forger.header | {"kid": own.kid} | header, key=own.key.key, alg=algorithm)
        )


@pytest.mark.parametrize("algorithm", OTHERS)
async def test_a_key_id_of_the_other_kind_does_not_help(
    world: World, forger: Forger, own_keys: dict[str, KeyOfOurs], algorithm: str
) -> None:
    """JW21: the key of access tokens under the name of another, and the other way round."""
    own = own_keys[algorithm]

    for header in (forger.header | {"kid": own.kid}, forger.header | {"kid": own.kid, "alg": algorithm}):
        assert await refused(world, forger.signed(header))
    for alg in (algorithm, "RS256"):
        assert await refused(world, forger.signed(forger.header | {"alg": alg}, key=own.key.key, alg=algorithm))


async def test_an_rsa_key_for_ps256_is_none_for_rs256(
    world: World, forger: Forger, own_keys: dict[str, KeyOfOurs]
) -> None:
    """JW21: only its `alg` tells it from a key of access tokens."""
    own = own_keys["PS256"]

    assert await refused(world, forger.signed(forger.header | {"kid": own.kid}, key=own.key.key, alg="RS256"))


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_what_is_published_of_a_key_is_no_secret_to_sign_with(
    world: World, forger: Forger, own_keys: dict[str, KeyOfOurs], algorithm: str
) -> None:
    """JW1."""
    (published,) = (jwk for jwk in world.services.keys.published() if jwk["kid"] == own_keys[algorithm].kid)

    for secret in (published["x"].encode(), json.dumps(published).encode(), b""):
        head, claims, signature = forger.under_hmac(secret).split(".")
        renamed = encoded(forger.header | {"alg": "HS256", "kid": published["kid"]})
        assert await refused(world, f"{head}.{claims}.{signature}")
        assert await refused(world, f"{renamed}.{claims}.{signature}")


# --- what is published


async def test_no_private_member_of_any_key_is_published(world: World, own_keys: dict[str, KeyOfOurs]) -> None:
    """JW14."""
    keys = (await world.http.get("/.well-known/jwks.json")).json()["keys"]

    assert {key["alg"] for key in keys} == set(ALGORITHMS)
    assert not [key["kid"] for key in keys if key.keys() & PRIVATE]
    assert {key["use"] for key in keys} == {"sig"}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert all(len(key["n"]) * 6 >= 2048 for key in keys if key["kty"] == "RSA")


# --- who asks for them


Node = Callable[[], Awaitable[tuple[KeyFiles, ClientRegistration]]]


@pytest.fixture
def keys_folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def node(world: World, keys_folder: Path) -> Node:
    """One more process over the same clients, with the keys of that folder."""

    async def node() -> tuple[KeyFiles, ClientRegistration]:
        keys = KeyFiles(keys_folder, publish_ahead=timedelta(minutes=5), token_lifetime=timedelta(minutes=15), now=now)
        await asyncio.to_thread(keys.load)
        administration = KeyAdministration(keys=keys, events=world.services.events)
        return keys, replace(world.services.client_registration, keys=administration)

    return node


def asking_for(algorithm: str, **more: Any) -> Client:
    client_id = f"client-{secrets.token_hex(6)}"
    return Client(client_id=client_id, name="Test", id_token_signed_response_alg=algorithm, **more)


def algorithms(keys: KeyFiles) -> list[str]:
    return sorted(key["alg"] for key in keys.published())


async def test_a_client_that_asks_for_nothing_else_makes_no_key(node: Node) -> None:
    keys, registration = await node()

    await registration.create(asking_for("RS256"))

    assert algorithms(keys) == ["RS256"]


@pytest.mark.parametrize("algorithm", OTHERS)
async def test_a_key_is_there_when_a_client_is_registered_that_asks_for_it(
    node: Node, world: World, algorithm: str
) -> None:
    keys, registration = await node()

    await registration.create(asking_for(algorithm))

    assert algorithms(keys) == sorted(["RS256", algorithm])
    header = jwt.get_unverified_header(keys.sign(b"{}", typ="JWT", algorithm=algorithm))
    (event,) = [it for it in await world.events("key_rotated") if it["detail"]["kid"] == header["kid"]]
    assert event["detail"]["algorithm"] == algorithm


async def test_a_key_is_there_when_a_client_is_changed_to_ask_for_it(node: Node) -> None:
    keys, registration = await node()
    client = (await registration.create(asking_for("RS256"))).client

    await registration.change(client.client_id, userinfo_signed_response_alg="ES256")

    assert algorithms(keys) == ["ES256", "RS256"]


async def test_a_change_of_a_client_that_is_not_there_makes_no_key(node: Node) -> None:
    keys, registration = await node()

    with pytest.raises(NotFound):
        await registration.change("nobody", id_token_signed_response_alg="ES256")

    assert algorithms(keys) == ["RS256"]


async def test_nodes_whose_clients_ask_at_once_make_one_key(node: Node) -> None:
    """JW20."""
    nodes = [await node() for _ in range(4)]

    await asyncio.gather(*(registration.create(asking_for("EdDSA")) for _, registration in nodes for _ in range(3)))

    for keys, _ in nodes:
        await asyncio.to_thread(keys.reload)
    assert {tuple(algorithms(keys)) for keys, _ in nodes} == {("EdDSA", "RS256")}
    assert len({keys.sign(b"{}", algorithm="EdDSA").split(".")[0] for keys, _ in nodes}) == 1


async def test_a_client_is_not_registered_where_its_key_cannot_be_made(node: Node, keys_folder: Path) -> None:
    keys, registration = await node()
    (keys_folder / ".lock").unlink()
    (keys_folder / ".lock").mkdir()  # a mode would not keep the superuser out
    client = asking_for("ES256")

    with pytest.raises(Conflict) as refusal:
        await registration.create(client)

    assert str(keys_folder) not in str(refusal.value)
    with pytest.raises(NotFound):
        await registration.find(client.client_id)
    with pytest.raises(Unavailable):
        keys.sign(b"{}", algorithm="ES256")


async def test_a_server_makes_the_keys_that_stored_clients_ask_for(node: Node, world: World) -> None:
    """Other nodes stored them, or the files were lost."""
    await world.client(id_token_signed_response_alg="ES256")
    await world.client(userinfo_signed_response_alg="EdDSA")
    keys, registration = await node()
    assert algorithms(keys) == ["RS256"]

    job = asyncio.ensure_future(key_provision(world.services.clients, registration.keys)())
    async with asyncio.timeout(60):
        while not {"ES256", "EdDSA"} <= set(algorithms(keys)):
            await asyncio.sleep(0.01)
    job.cancel()

    assert len(algorithms(keys)) == len(set(algorithms(keys)))


async def test_a_disabled_client_asks_for_nothing(world: World) -> None:
    client = await world.client(id_token_signed_response_alg="X-TEST", enabled=True)
    assert "X-TEST" in await world.services.clients.signing_algorithms()

    await world.changed_client(client, enabled=False)

    assert "X-TEST" not in await world.services.clients.signing_algorithms()
