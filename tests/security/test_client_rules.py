"""What a client may be registered with (groups RU and DS), at both doors."""

from __future__ import annotations

from typing import Any

import pytest
from world import Tokens, World

from idp.domain.clients.client_rules import client_faults
from idp.domain.clients.clients import Client
from idp.domain.errors import ValidationFailed

REFUSED = [
    *(
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "about:blank",
    ),
    *("https://a.example/cb#", "https://a.example/cb#x", "https://user@a.example/cb", "https://user:pw@a.example/cb"),
    *("https://@a.example/cb", "https://*.a.example/cb", "https://a.example/*", "https://a.example/{x}"),
    *("/cb", "cb", "//a.example/cb", "?x=y", "", "https://", "https:///cb", "https:a.example/cb", "https:/a.example"),
    *(
        "http://a.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://10.0.0.1/cb",
    ),
    *("http://127.0.0.1@evil.example/cb", "https://a.example\\@evil.example/cb", "https://a.example:99999/cb"),
    *(
        "https://a.example:x/cb",
        "https://[::1/cb",
        "https://a.example/ cb",
        "https://a.example/\tcb",
        "https://ä.example/cb",
    ),
    *(
        " https://a.example/cb",
        "https://a.example/cb\n",
        "https://a.example/\x00",
        "ftp://a.example/cb",
        "myapp://cb",
        "blob:x",
    ),
    *("ws://a.example", "view-source:https://a.example", "intent://a.example", "https://a.example/<script>"),
]
# RU6: what the answer of the authorization endpoint adds, in any of the ways a query can be written.
CLOBBERING = [
    *("code=x", "state=x", "iss=x", "error=x", "response=x", "a=b&code=x", "code", "code=", "%63ode=x", "a=b;state=x"),
    *("error_description=x", "id_token=x", "access_token=x"),
]
ALLOWED = [
    *(
        "https://a.example/cb",
        "https://a.example",
        "https://a.example:8443/cb?tenant=1&encode=x&State=x",
        "https://a.example/code",
    ),
    *("http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]:9000/cb", "http://localhost:3000/cb"),
    *("com.example.app:/cb", "com.example.app://cb"),
]
GOOD = "https://a.example/good"


@pytest.fixture(scope="module")
async def admin(world: World) -> Tokens:
    return await world.admin()


async def faults(world: World, admin: Tokens, **members: Any) -> list[str]:
    body = {"name": "Web", "grantTypes": ["authorization_code"], "redirectUris": [GOOD], **members}
    answer = await world.call("POST", "/admin/clients", admin, json=body)
    assert answer.status_code in (201, 400), answer.text
    return [fault["field"] for fault in answer.json().get("errors", [])]


@pytest.mark.parametrize("uri", [*REFUSED, *(f"https://a.example/cb?{query}" for query in CLOBBERING)])
async def test_a_redirect_uri_that_could_lead_elsewhere_is_refused(world: World, admin: Tokens, uri: str) -> None:
    """RU4, RU6; Keycloak CVE-2020-10776, CVE-2026-9689, Authlib PYSEC-2026-4354."""
    members = {"redirectUris": [GOOD, uri]}
    if "\x00" in uri:
        answer = await world.call("POST", "/admin/clients", admin, json={"name": "Web", **members})
        assert answer.status_code == 400
    else:
        assert await faults(world, admin, **members) == ["redirectUris"]


@pytest.mark.parametrize("uri", REFUSED)
def test_the_command_line_has_the_same_rules(uri: str) -> None:
    """RU4."""
    client = Client(client_id="web", name="Web", grant_types=("authorization_code",), redirect_uris=(uri,))

    assert [field for field, _ in client_faults(client)] == ["redirect_uris"]


@pytest.mark.parametrize("uri", [uri for uri in REFUSED if uri != "myapp://cb"])
def test_a_native_client_has_no_more_freedom_than_a_scheme_of_its_own(uri: str) -> None:
    """RU4."""
    client = Client(client_id="app", name="App", application_type="native", redirect_uris=(uri,))

    assert [field for field, _ in client_faults(client)] == ["redirect_uris"]


async def test_an_administrator_gives_a_native_client_its_scheme(world: World, admin: Tokens) -> None:
    """RU4, RU8: RFC 8252, section 7.1, asks for a dot; editors have none."""
    own = {"redirectUris": ["cursor://app/cb", "vscode:/cb"], "postLogoutRedirectUris": ["cursor://app/bye"]}

    assert await faults(world, admin, **own, applicationType="native") == []
    assert set(await faults(world, admin, **own)) == {"redirectUris", "postLogoutRedirectUris"}


async def test_a_redirect_uri_of_the_client_is_taken_as_it_is(world: World, admin: Tokens) -> None:
    """RU4."""
    body = {"name": "Web", "grantTypes": ["authorization_code"], "redirectUris": ALLOWED}

    answer = await world.call("POST", "/admin/clients", admin, json=body)

    assert answer.json()["client"]["redirectUris"] == ALLOWED


async def test_a_change_follows_the_same_rules(world: World, admin: Tokens) -> None:
    """RU4."""
    web = {"name": "Web", "grantTypes": ["authorization_code"], "redirectUris": [GOOD]}
    made = await world.call("POST", "/admin/clients", admin, json=web)

    answer = await world.call(
        "PUT", f"/admin/clients/{made.json()['clientId']}", admin, json={"redirectUris": ["javascript:alert(1)"]}
    )

    assert answer.json()["errors"][0]["field"] == "redirectUris"


NAMES = {
    "نرم\u200cافزار من": "نرم\u200cافزار من",  # Persian, with the joiner that parts the syllables of one word
    "Mon\u00a0appli\u202f: une": "Mon appli : une",
    "会計\u3000サービス": "会計 サービス",
    "  Cafe\u0301  ": "Café",
    "💻\ufe0f": "💻\ufe0f",
}
HIDING = [
    "a\u202eb",
    "Ad\u200bmin",
    "\u3164",
    "\u2066x\u2069",
    "\u2800",
    "\u00a0",
    "x\ufeff",
    "a\u00adb",
    "a\x07b",
    "a\u200fb",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_clients_name_is_one_of_any_language(world: World, admin: Tokens, name: str) -> None:
    made = await world.call("POST", "/admin/clients", admin, json={"name": name, "grantTypes": ["client_credentials"]})

    assert made.json()["client"]["name"] == NAMES[name]


@pytest.mark.parametrize("name", HIDING)
async def test_a_clients_name_hides_and_turns_nothing(world: World, admin: Tokens, name: str) -> None:
    """RU5: consent shows who asks. At every door that names a client."""
    web = {"name": "Web", "grantTypes": ["client_credentials"]}
    made = (await world.call("POST", "/admin/clients", admin, json=web)).json()
    line = Client(client_id="of-a-line", name=name)

    changed = await world.call("PUT", f"/admin/clients/{made['clientId']}", admin, json={"name": name})

    assert await faults(world, admin, name=name) == ["name"]
    assert changed.json()["errors"][0]["field"] == "name"
    with pytest.raises(ValidationFailed):
        await world.services.client_registration.restore(line, dry_run=True)


async def test_a_client_whose_name_would_not_be_taken_today_can_be_disabled(world: World, admin: Tokens) -> None:
    client = await world.client()
    await world.changed_client(client, name="\u3164")

    answer = await world.call("PUT", f"/admin/clients/{client.client_id}", admin, json={"enabled": False})

    assert (answer.status_code, answer.json()["client"]["enabled"]) == (200, False)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("redirectUris", [f"https://a.example/{number}" for number in range(51)]),
        ("redirectUris", ["https://a.example/" + "a" * 2000]),
        ("origins", [f"https://a{number}.example" for number in range(51)]),
        ("resources", [f"https://a{number}.example" for number in range(51)]),
        ("grantTypes", ["client_credentials"] * 900),
        ("scope", " ".join(f"s{number}" for number in range(51))),
        ("scope", "s" * 1001),
        ("scope", "a " * 5_000),
        ("name", "n" * 101),
        ("clientId", "c" * 256),
        ("origins", ["https://a.example"] * 1001),
    ],
)
async def test_nothing_is_longer_than_it_needs_to_be(world: World, admin: Tokens, member: str, value: Any) -> None:
    """DS8."""
    assert await faults(world, admin, **{member: value}) == [member]
