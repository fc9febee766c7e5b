"""
Clients of an MCP server, made with the MCP SDKs for Node and for Python, as their users have them.

They know the URL of the server alone. It answers 401 with the place of its metadata, the metadata name this issuer and the
scopes; the rest is discovery, registration, a sign-in in a browser, tokens for the resource, and refreshes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hosted import Browser, answer_of, claims_of
from mcp_resource import SCOPE, McpResource, mcp_resource
from node_party import NodeParty, needs, node_party
from process import ServerProcess, free_port
from world import World

from idp.embedded import StoreUrls
from idp.settings import Settings

TOKEN = "an-operators-token-for-mcp-clients"
CALLBACK = "http://localhost:33418/callback"


@dataclass
class Site:
    """The world at a node where MCP clients may register, and the server that they want to use."""

    world: World
    resource: McpResource

    async def allowed(self, url: str) -> dict[str, str]:
        """What the client is answered once a user has signed in at *url* and allowed what it asks for."""
        async with Browser(self.world) as browser:
            page = await browser.follow(await browser.get(url))
            page = await browser.sign_in(page, await self.world.registered())
            assert SCOPE in page.text
            return answer_of(await browser.submit(page, "allow"))

    async def serves(self, token: str) -> bool:
        async with httpx.AsyncClient(verify=False) as http:
            answer = await http.post(self.resource.url, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code == 200


@pytest.fixture(scope="module")
def node(settings: Settings, urls: StoreUrls, resource_port: int) -> Iterator[ServerProcess]:
    """An issuer of its own over the stores of the world: discovery, pages and tokens are all its."""
    given = {
        "IDP_DATABASE_URL": urls.database,
        "IDP_MIGRATION_DATABASE_URL": urls.migration,
        "IDP_REDIS_URL": urls.redis,
        "IDP_KEYS_DIR": str(settings.keys_dir),
        "IDP_DATA_DIR": str(settings.data_dir),
        "IDP_SECRET": settings.secrets[0].decode(),
        "IDP_REGISTRATION_TOKEN": TOKEN,
        "IDP_REGISTRATION_SCOPES": SCOPE,
        "IDP_REGISTRATION_RESOURCES": f"http://localhost:{resource_port}/mcp",
    }
    with ServerProcess(settings.data_dir.parent / "mcp", **given) as server:
        yield server


@pytest.fixture(scope="module")
def resource_port() -> int:
    return free_port()


@pytest.fixture
async def site(world: World, node: ServerProcess, resource_port: int) -> AsyncIterator[Site]:
    own = replace(world.settings, issuer=node.url)
    async with (
        httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http,
        mcp_resource(McpResource(node.url, resource_port)) as resource,
    ):
        yield Site(World(http, world.services, own, world.database, world.cache, world.tokens), resource)


@pytest.fixture
async def library() -> AsyncIterator[NodeParty]:
    needs("@modelcontextprotocol/sdk")
    async with node_party("mcp.mjs") as party:
        yield party


async def test_the_sdk_for_node_gets_tokens_for_the_server_and_renews_them(site: Site, library: NodeParty) -> None:
    given = {"server": site.resource.url, "redirect_uri": CALLBACK}

    started = await library.ask("start", token=TOKEN, **given)
    answer = await site.allowed(started["url"])
    done = await library.ask("finish", code=answer["code"], **given)
    renewed = await library.ask("refresh", **given)

    assert started["client"]["grant_types"] == ["authorization_code", "refresh_token"]
    assert started["client"]["scope"] == SCOPE
    assert started["client"]["redirect_uris"] == [CALLBACK, "cursor://example.mcp/callback"]
    assert parse_qs(urlsplit(started["url"]).query)["resource"] == [site.resource.url]
    assert (done["result"], renewed["result"]) == ("AUTHORIZED", "AUTHORIZED")
    assert renewed["tokens"]["refresh_token"] != done["tokens"]["refresh_token"]
    for tokens in (done["tokens"], renewed["tokens"]):
        assert claims_of(tokens["access_token"])["aud"] == site.resource.url
        assert await site.serves(tokens["access_token"])


async def test_the_sdk_for_python_gets_tokens_for_the_server_and_renews_them(site: Site) -> None:
    client = python_client(site)
    async with client.http() as http:
        first = await http.get(site.resource.url)
        tokens = client.tokens
        client.provider.context.token_expiry_time = 1  # long ago
        second = await http.get(site.resource.url)

    assert (first.json(), second.json()) == ({"tools": []}, {"tools": []})
    assert client.information.scope == f"{SCOPE} offline_access"
    assert client.tokens.refresh_token != tokens.refresh_token
    for each in (tokens, client.tokens):
        assert claims_of(each.access_token)["aud"] == site.resource.url


async def test_a_client_that_registered_itself_gets_tokens_for_no_other_resource(site: Site) -> None:
    """The operator names them (IDP_REGISTRATION_RESOURCES); of the scopes that the server lists it gets those that are allowed."""
    client = python_client(site)
    async with client.http() as http:
        assert (await http.get(site.resource.url)).status_code == 200
    fields = {"grant_type": "refresh_token", "client_id": client.information.client_id}
    fields |= {"refresh_token": client.tokens.refresh_token, "resource": "https://api.victim.example"}

    answer = await site.world.http.post("/oauth2/token", data=fields)

    assert answer.json()["error"] == "invalid_target"
    assert client.tokens.scope == f"{SCOPE} offline_access"


@dataclass
class PythonClient:
    """The SDK's provider of tokens, and the storage that it wants."""

    provider: Any = None
    tokens: Any = None
    information: Any = None

    def http(self) -> Any:
        import httpx2

        async def present(request: Any) -> None:
            if request.url.path == "/oauth2/register":
                request.headers["Authorization"] = f"Bearer {TOKEN}"

        return httpx2.AsyncClient(auth=self.provider, event_hooks={"request": [present]}, timeout=60, verify=False)

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.information

    async def set_client_info(self, information: Any) -> None:
        self.information = information


def python_client(site: Site) -> PythonClient:
    auth = pytest.importorskip("mcp.client.auth", reason="not installed: mcp (pip install -e .[dev])")
    shared = pytest.importorskip("mcp.shared.auth")
    asked: dict[str, str] = {}
    client = PythonClient()

    async def shown(url: str) -> None:
        asked["url"] = url

    async def answered() -> Any:
        return auth.AuthorizationCodeResult(**await site.allowed(asked["url"]))

    metadata = shared.OAuthClientMetadata(
        client_name="MCP client",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    client.provider = auth.OAuthClientProvider(site.resource.url, metadata, client, shown, answered)
    return client
