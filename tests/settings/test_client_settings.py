"""What clients that register themselves may have beyond the standard."""

import pytest
from environments import faults, value


def test_schemes_scopes_and_resources_are_lists() -> None:
    assert value("IDP_REGISTRATION_SCHEMES", "cursor, VSCode,com.example.app") == (
        "cursor",
        "vscode",
        "com.example.app",
    )
    assert value("IDP_REGISTRATION_SCOPES", "mcp:tools,files.read") == ("mcp:tools", "files.read")
    assert value("IDP_REGISTRATION_RESOURCES", "https://mcp.example/mcp,urn:example:api") == (
        "https://mcp.example/mcp",
        "urn:example:api",
    )


@pytest.mark.parametrize(
    "text",
    [
        *("javascript", "JavaScript", "data", "file", "http", "https", "vbscript", "blob", "about", "intent", "mailto"),
        *("ms-msdt", "search-ms", "web+app", "view-source", "chrome-extension", "itms-services", "c", "cursor://"),
        *("cursor:", "1app", "my app", "ä", "*", "cursor,,", "localhost"),
    ],
)
def test_a_scheme_that_browsers_or_systems_act_on_is_a_fault(text: str) -> None:
    """RU4."""
    assert "must be a comma-separated list" in faults({"IDP_REGISTRATION_SCHEMES": text})[0]


@pytest.mark.parametrize("text", ["idp:admin", "mcp:tools,idp:account"])
def test_what_opens_this_server_is_given_to_no_client_that_registers_itself(text: str) -> None:
    """AD4."""
    assert "`idp:`" in faults({"IDP_REGISTRATION_SCOPES": text})[0]


@pytest.mark.parametrize("text", ["a b", 'a"', "ä", ",", ",".join(f"scope{number}" for number in range(45)), "x" * 960])
def test_what_no_registration_can_hold_is_a_fault(text: str) -> None:
    assert faults({"IDP_REGISTRATION_SCOPES": text})[0].startswith("IDP_REGISTRATION_SCOPES: ")


@pytest.mark.parametrize(
    "text",
    ["mcp", "https://mcp.example/#x", "https://mcp.example/ x", ",".join(f"urn:a:{number}" for number in range(51))],
)
def test_what_is_no_resource_is_a_fault(text: str) -> None:
    assert faults({"IDP_REGISTRATION_RESOURCES": text})[0].startswith("IDP_REGISTRATION_RESOURCES: ")
