"""What is registered of what clients send (RFC 7591, section 3.2.1), and what an operator allows."""

from __future__ import annotations

from typing import Any

import pytest

from idp.domain.clients.client_rules import client_faults
from idp.domain.clients.clients import Client
from idp.domain.errors import ValidationFailed
from idp.services.clients.registration_metadata import RegistrationPolicy

WEB = ["https://rp.example/cb"]
STANDARD = "openid profile email address phone offline_access"


def registered(policy: RegistrationPolicy | None = None, **metadata: Any) -> Client:
    properties = (policy or RegistrationPolicy()).properties("c", {"redirect_uris": WEB} | metadata)
    client = Client(client_id="c", **properties)
    assert not client_faults(client)
    return client


def refused(policy: RegistrationPolicy | None = None, **metadata: Any) -> list[str]:
    with pytest.raises(ValidationFailed) as fault:
        (policy or RegistrationPolicy()).properties("c", {"redirect_uris": WEB} | metadata)
    return [one.field for one in fault.value.errors]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["authorization_code", "refresh_token"], ("authorization_code", "refresh_token")),
        (["refresh_token", "authorization_code"], ("refresh_token", "authorization_code")),
        (["authorization_code", "authorization_code"], ("authorization_code",)),
        (["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"], ("authorization_code",)),
        (["authorization_code", "refresh_token", "implicit", "password"], ("authorization_code", "refresh_token")),
        (["client_credentials", "authorization_code", ""], ("authorization_code",)),
        ([], ("authorization_code",)),
        (None, ("authorization_code",)),
    ],
)
def test_grants_that_are_not_given_here_are_left_out(asked: list[str] | None, kept: tuple[str, ...]) -> None:
    assert registered(grant_types=asked).grant_types == kept


@pytest.mark.parametrize("asked", [["implicit"], ["refresh_token"], ["password", "client_credentials"], ["x"], [""]])
def test_without_a_grant_that_begins_something_nothing_is_registered(asked: list[str]) -> None:
    assert refused(grant_types=asked) == ["grant_types"]


@pytest.mark.parametrize(
    "asked", [["code", "token"], ["none", "code"], ["code", "code id_token"], ["code", "code"], []]
)
def test_response_types_that_are_not_given_here_are_left_out(asked: list[str]) -> None:
    registered(response_types=asked)


@pytest.mark.parametrize("asked", [["token"], ["code id_token"], ["none"], ["CODE"]])
def test_without_a_code_nothing_is_registered(asked: list[str]) -> None:
    assert refused(response_types=asked) == ["response_types"]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("openid mcp:tools", "openid"),
        ("mcp:tools  email openid email", "email openid"),
        ("openid idp:admin idp:account", "openid"),
        ("", STANDARD),
        (None, STANDARD),
    ],
)
def test_scopes_that_nobody_has_allowed_are_left_out(asked: str | None, kept: str) -> None:
    """AD4."""
    assert registered(scope=asked).scope == kept


def test_when_no_scope_is_left_the_client_is_told() -> None:
    assert refused(scope="mcp:tools idp:admin") == ["scope"]


def test_scopes_that_the_operator_allows_are_taken_and_are_part_of_the_default() -> None:
    policy = RegistrationPolicy(scopes=("mcp:tools", "mcp:files"))

    assert registered(policy, scope="mcp:files openid other").scope == "mcp:files openid"
    assert registered(policy).scope == f"{STANDARD} mcp:tools mcp:files"


@pytest.mark.parametrize(
    "uri", ["cursor://anysphere.cursor-retrieval/oauth/callback", "vscode://vscode.cody/auth", "zed:/a"]
)
def test_a_scheme_without_a_dot_is_taken_when_the_operator_knows_it(uri: str) -> None:
    policy = RegistrationPolicy(schemes=("cursor", "vscode", "zed"))

    assert registered(policy, redirect_uris=[uri]).application_type == "native"
    assert refused(redirect_uris=[uri]) == ["redirect_uris"]
    assert refused(RegistrationPolicy(schemes=("other",)), redirect_uris=[*WEB, uri]) == ["redirect_uris"]


@pytest.mark.parametrize("loopback", ["http://127.0.0.1:33418", "http://localhost:1455/cb", "http://[::1]/cb"])
def test_a_scheme_without_a_dot_is_taken_beside_a_loopback_address(loopback: str) -> None:
    client = registered(redirect_uris=[loopback, "cursor://x/cb"], post_logout_redirect_uris=["cursor://x/bye"])

    assert client.application_type == "native"


def test_where_users_go_after_signing_out_follows_the_same_rule() -> None:
    """RU8."""
    assert refused(post_logout_redirect_uris=["cursor://x/bye"]) == ["post_logout_redirect_uris"]


@pytest.mark.parametrize(
    ("uris", "kind"),
    [
        (WEB, "web"),
        ([*WEB, "http://127.0.0.1/cb"], "native"),
        (["http://localhost:8080/cb"], "native"),
        (["com.example.app:/cb"], "native"),
    ],
)
def test_an_app_that_does_not_say_that_it_is_one_is_known_by_its_redirect_uris(uris: list[str], kind: str) -> None:
    """RFC 8252, section 7."""
    assert registered(redirect_uris=uris).application_type == kind
    assert registered(redirect_uris=uris, application_type="web").application_type == "web"


@pytest.mark.parametrize(
    ("method", "default", "said", "required"),
    [
        *(("client_secret_basic", True, None, True), ("client_secret_basic", True, False, False)),
        *(("client_secret_post", False, None, False), ("client_secret_post", False, True, True)),
        *(("none", False, None, True), (None, False, None, False)),
    ],
)
def test_the_operator_says_whether_confidential_clients_must_use_pkce(
    method: str | None, default: bool, said: bool | None, required: bool
) -> None:
    policy = RegistrationPolicy(require_pkce=default)

    client = registered(policy, token_endpoint_auth_method=method, require_pkce=said)

    assert client.require_pkce is required


@pytest.mark.parametrize("empty", [None, "", []])
def test_nothing_is_said_by_an_empty_member(empty: Any) -> None:
    optional = (
        "client_name",
        "scope",
        "client_uri",
        "logo_uri",
        "policy_uri",
        "tos_uri",
        "jwks_uri",
        "jwks",
        "contacts",
    )
    optional += ("token_endpoint_auth_method", "application_type", "subject_type", "backchannel_logout_uri")
    optional += ("post_logout_redirect_uris", "grant_types", "response_types", "default_max_age")

    assert registered(**dict.fromkeys(optional, empty)) == registered()


def test_a_page_on_plain_http_is_left_out() -> None:
    client = registered(client_uri="http://homeassistant.local:8123", logo_uri="http://localhost/logo.png")

    assert (client.client_uri, client.logo_uri) == (None, "http://localhost/logo.png")


NONE = {"token_endpoint_auth_method": "none"}
BOTH = {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}
REAL: dict[str, dict[str, Any]] = {
    "MCP Inspector": NONE
    | {"redirect_uris": ["http://127.0.0.1:6274/oauth/callback"], "scope": "", "application_type": "native"}
    | {"grant_types": ["authorization_code"], "response_types": ["code"], "client_name": "MCP Inspector"},
    "LM Studio": {"client_name": "test", "redirect_uris": ["http://localhost:1234/callback"]},
    "Claude Code": NONE | BOTH | {"redirect_uris": ["http://localhost:3118/callback"], "application_type": "native"},
    "Claude": NONE | BOTH | {"client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]},
    "VS Code": NONE
    | {"redirect_uris": ["https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"]}
    | {"grant_types": [*BOTH["grant_types"], "urn:ietf:params:oauth:grant-type:device_code"]}
    | {"response_types": ["code"], "application_type": "native", "client_uri": "https://code.visualstudio.com"},
    "OpenCode": BOTH | {"redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"]},
    "Cursor": NONE
    | BOTH
    | {"redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback", "http://localhost:8787/cb"]},
    "MITREid": {"redirect_uris": ["https://rp.example/login"], "grant_types": [], "response_types": []}
    | {"scope": "openid email address profile phone", "request_object_signing_alg": "RS256", "default_max_age": None},
    "with a resource": {
        "redirect_uris": WEB,
        "resource": "https://mcp.example/mcp",
        "software_id": "x",
        "contacts": None,
    },
}


@pytest.mark.parametrize("sent", REAL.values(), ids=REAL.keys())
def test_what_clients_send_is_registered(sent: dict[str, Any]) -> None:
    """As their sources and issues of other servers show it."""
    client = registered(**sent)

    assert client.redirect_uris == tuple(sent["redirect_uris"])
    assert client.grant_types[0] == "authorization_code"
    assert set(client.grant_types) <= {"authorization_code", "refresh_token"}
    assert client.scope
