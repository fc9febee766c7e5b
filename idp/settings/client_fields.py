"""The settings of clients: who registers itself, with what, and which of their addresses are called."""

from __future__ import annotations

from idp.domain.clients.client_rules import LONGEST_SCOPE, MOST_ENTRIES, SCOPE_TOKEN
from idp.domain.clients.clients import is_resource
from idp.domain.clients.redirect_uris import is_app_scheme
from idp.domain.tokens.scopes import SUPPORTED, wire
from idp.settings import parsing
from idp.settings.parsing import Parser, Unacceptable
from idp.settings.setting import Group, Setting

OWN_SCOPES = "idp:"  # of this server's own API


def scheme() -> Parser:
    def read(text: str) -> str:
        if not is_app_scheme(text.lower()):
            raise ValueError
        return text.lower()

    return Parser("the scheme of an app such as `cursor`, without `://`, none that browsers or systems act on", read)


def scopes() -> Parser:
    """Every client that says nothing gets them all, so they fit into one registration."""
    listed = parsing.listed(Parser("a scope such as `mcp:tools` (RFC 6749, section 3.3)", _scope))

    def read(text: str) -> object:
        found = listed.read(text)
        together = (*SUPPORTED, *found) if isinstance(found, tuple) else ()
        if len(together) > MOST_ENTRIES or len(wire(together)) > LONGEST_SCOPE:
            raise Unacceptable(
                f"with those of this server at most {MOST_ENTRIES} scopes in {LONGEST_SCOPE} characters."
            )
        return found

    return Parser(listed.allowed, read)


def resources() -> Parser:
    listed = parsing.listed(Parser("an absolute URI without fragment", _resource))

    def read(text: str) -> object:
        found = listed.read(text)
        if isinstance(found, tuple) and len(found) > MOST_ENTRIES:
            raise Unacceptable(f"at most {MOST_ENTRIES} resources.")
        return found

    return Parser(listed.allowed, read)


def _scope(text: str) -> str:
    if text.startswith(OWN_SCOPES):
        raise Unacceptable(
            f"scopes that start with `{OWN_SCOPES}` open this server itself; no client gives them to itself."
        )
    if SCOPE_TOKEN.fullmatch(text) is None:
        raise ValueError
    return text


def _resource(text: str) -> str:
    if not is_resource(text):
        raise ValueError
    return text


CLIENTS = Group(
    "Clients",
    (
        Setting(
            "IDP_REGISTRATION_TOKEN",
            None,
            "Bearer token with which clients may register themselves at `/oauth2/register`.",
            parsing.bearer_token(parsing.SHORTEST_SECRET),
            unset="they may not, and there is no such path",
            secret=True,
        ),
        Setting(
            "IDP_REGISTRATION_SCHEMES",
            None,
            "Schemes without a dot that apps which register themselves may be called back at, such as `cursor,vscode`. "
            "One that also has a loopback redirect URI needs no entry.",
            parsing.listed(scheme()),
        ),
        Setting(
            "IDP_REGISTRATION_SCOPES",
            None,
            "Scopes of resource servers that clients which register themselves may have, beside the standard ones.",
            scopes(),
        ),
        Setting(
            "IDP_REGISTRATION_RESOURCES",
            None,
            "Resources (RFC 8707) that each client which registers itself may ask tokens for, such as the URL of an MCP "
            "server. Clients that are registered already keep what they have.",
            resources(),
        ),
        Setting(
            "IDP_REGISTRATION_REQUIRE_PKCE",
            "true",
            "Whether a confidential client that registers itself without `require_pkce` must use PKCE. Public ones must.",
            parsing.boolean(),
        ),
        Setting(
            "IDP_OUTGOING_PRIVATE",
            None,
            "Whether addresses that clients register (`jwks_uri`, back-channel logout) may be in private networks or on "
            "this machine; link-local ones never.",
            parsing.boolean(),
            unset="`false`; in development this machine may be called",
        ),
    ),
)
