"""Which scope is granted of what a client asks for (RFC 6749, section 3.3)."""

from __future__ import annotations

import pytest

from idp.domain.tokens.scopes import granted_scope

ALLOWED = "openid email mcp:tools"


@pytest.mark.parametrize(
    ("asked", "whole", "partly"),
    [
        ("mcp:tools openid", "openid mcp:tools", "openid mcp:tools"),
        ("mcp:tools mcp:other", None, "mcp:tools"),
        ("mcp:other", None, None),
        ("openid idp:admin", None, "openid"),
        ("openid idp:account mcp:other", None, "openid"),
        ("idp:account idp:admin", None, None),
        (None, ALLOWED, ALLOWED),
        (" ", ALLOWED, ALLOWED),
    ],
)
def test_who_registered_itself_gets_what_it_may_have_of_what_it_asks_for(
    asked: str | None, whole: str | None, partly: str | None
) -> None:
    """Every other client is refused: nothing is dropped in silence. Libraries ask for what discovery lists."""
    assert granted_scope(asked, ALLOWED) == whole
    assert granted_scope(asked, ALLOWED, partly=True) == partly
