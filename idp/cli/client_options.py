"""The options that `idp clients create` and `update` share, each named as the field of `Client` that it sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from idp.cli.output import TEXT
from idp.domain.clients.client_keys import ALGORITHMS
from idp.domain.clients.client_rules import METHODS
from idp.domain.clients.clients import GRANT_TYPES, Client

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]

EITHER = "either"
NONE = "none"


class Keys(click.ParamType):  # type: ignore[type-arg]
    """A file with a JWK Set; an empty text stays one."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value or isinstance(value, dict):
            return value
        try:
            found = json.loads(Path(value).read_bytes())
        except OSError as fault:
            self.fail(f"it cannot be read: {fault.strerror}", param, ctx)
        except (ValueError, RecursionError):
            self.fail("it is not JSON", param, ctx)
        if not isinstance(found, dict):
            self.fail("it holds no JWK Set", param, ctx)
        return found


def _many(flag: str, field: str, metavar: str, help_text: str) -> Option:
    return click.option(flag, field, multiple=True, metavar=metavar, type=TEXT, help=help_text)


def _uri(flag: str, field: str, help_text: str) -> Option:
    return click.option(flag, field, metavar="URI", type=TEXT, help=help_text)


def _algorithm(flag: str, field: str, help_text: str, *more: str) -> Option:
    allowed = click.Choice([*ALGORITHMS, *more])
    return click.option(flag, field, type=allowed, metavar="|".join(ALGORITHMS), help=help_text)


OPTIONS: tuple[Option, ...] = (
    click.option("--grant", "grant_types", multiple=True, metavar="|".join(GRANT_TYPES), type=TEXT),
    _many("--redirect-uri", "redirect_uris", "URI", "Where users come back to after signing in."),
    _many(
        "--post-logout-redirect-uri", "post_logout_redirect_uris", "URI", "Where they may be sent after signing out."
    ),
    click.option("--scope", type=TEXT, help="What it may ask for, separated by spaces."),
    _many("--origin", "origins", "ORIGIN", "May call from a browser."),
    _many("--resource", "resources", "URI", "Audience of its tokens."),
    _many("--audience", "audiences", "URI", "A resource that it is itself: it may introspect tokens made for that."),
    click.option("--public", is_flag=True, help="It can keep no secret: the same as --auth-method none."),
    click.option(
        "--auth-method",
        type=click.Choice([EITHER, *METHODS]),
        help=f"How it proves itself; `{EITHER}` is a secret in the header or in the form.  [default: {EITHER}]",
    ),
    _algorithm("--auth-signing-alg", "token_endpoint_auth_signing_alg", "The only one for private_key_jwt.", ""),
    click.option("--jwks-file", "jwks", type=Keys(), metavar="FILE", help="Its public keys, a JWK Set."),
    _uri("--jwks-uri", "jwks_uri", "Where it publishes them itself."),
    click.option(
        "--native/--web", "native", default=None, help="An app on the user's machine: loopback addresses on any port."
    ),
    click.option("--pkce/--no-pkce", "require_pkce", default=None, help="Whether it must use PKCE.  [default: pkce]"),
    click.option(
        "--first-party/--third-party",
        "first_party",
        default=None,
        help="Users of a first party are not asked for consent.",
    ),
    _algorithm("--id-token-alg", "id_token_signed_response_alg", "Of its ID tokens.  [default: RS256]"),
    click.option(
        "--id-token-claims/--no-id-token-claims",
        "id_token_claims",
        default=None,
        help="ID tokens hold the claims of their scopes, for a client that never asks userinfo.",
    ),
    _algorithm("--userinfo-alg", "userinfo_signed_response_alg", "Userinfo is a JWT signed with it.", ""),
    click.option(
        "--default-max-age", type=TEXT, metavar="SECONDS", help="How old a sign-in may be when it does not say."
    ),
    click.option(
        "--require-auth-time/--no-auth-time", "require_auth_time", default=None, help="auth_time in ID tokens."
    ),
    _uri("--backchannel-logout-uri", "backchannel_logout_uri", "Is told when a session ends."),
    click.option(
        "--backchannel-session/--no-backchannel-session",
        "backchannel_logout_session_required",
        default=None,
        help="Whether it must be told which one.",
    ),
    _uri("--initiate-login-uri", "initiate_login_uri", "Where others send users who are to sign in there."),
    _uri("--logo-uri", "logo_uri", "Shown to users."),
    _uri("--client-uri", "client_uri", "Its home page."),
    _uri("--policy-uri", "policy_uri", "What it does with data."),
    _uri("--tos-uri", "tos_uri", "Its terms of service."),
    _many("--contact", "contacts", "ADDRESS", "E-mail address of who looks after it."),
)


def properties(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def chosen(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Client` that were named; an empty text empties a list, or a field that may be empty."""
    method, public, native = given.pop("auth_method"), given.pop("public"), given.pop("native")
    if public and method not in (None, NONE):
        raise click.UsageError(f"A public client does not prove itself by {method}.")
    named = {name: value for name, value in given.items() if value is not None and value != ()}
    named = {name: () if value == ("",) else value for name, value in named.items()}
    named = {name: None if value == "" and name in EMPTIABLE else value for name, value in named.items()}
    if public or method:
        named["auth_method"] = NONE if public else None if method == EITHER else method
    if native is not None:
        named["application_type"] = "native" if native else "web"
    return named | _seconds(named)


EMPTIABLE = frozenset(field.name for field in fields(Client) if field.default is None)


def _seconds(named: dict[str, Any]) -> dict[str, Any]:
    text = named.get("default_max_age")
    if text is None:
        return {}
    if not text.isascii() or not text.isdigit():
        raise click.UsageError("--default-max-age takes whole seconds.")
    return {"default_max_age": int(text)}
