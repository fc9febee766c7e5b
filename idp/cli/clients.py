"""`idp clients`: the programs that ask for tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from idp.cli.environment import with_services
from idp.cli.output import TEXT, formatted, instant, show_record, show_records
from idp.domain.clients import GRANT_TYPES, SECRET_METHODS, Client
from idp.settings.parsing import duration

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.services.client_registration import Registered

Command = TypeVar("Command", bound=Callable[..., Any])

COLUMNS = ("client_id", "name", "public", "grant_types", "scope", "enabled")
DEFAULT_SCOPE = "openid profile email offline_access"
EITHER = "either"
ID = click.argument("client_id", metavar="ID", type=TEXT)


class Overlap(click.ParamType):  # type: ignore[type-arg]
    name = "duration"
    parser = duration("0s", "90d")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            span = self.parser.read(str(value))
        except ValueError:
            self.fail(f"must be {self.parser.allowed}", param, ctx)
        assert isinstance(span, timedelta)  # noqa: S101 - what a parser of durations gives
        return span


def properties(command: Command) -> Command:
    """The options that `create` and `update` share, each named as the field of `Client` that it sets."""
    method = click.Choice([EITHER, "none", *SECRET_METHODS])
    options = (
        click.option("--grant", "grant_types", multiple=True, metavar="|".join(GRANT_TYPES), type=TEXT),
        click.option("--redirect-uri", "redirect_uris", multiple=True, metavar="URI", type=TEXT),
        click.option("--scope", type=TEXT, help="What it may ask for, separated by spaces."),
        click.option(
            "--origin", "origins", multiple=True, metavar="ORIGIN", type=TEXT, help="May call from a browser."
        ),
        click.option(
            "--resource", "resources", multiple=True, metavar="URI", type=TEXT, help="Audience of its tokens."
        ),
        click.option("--public", is_flag=True, help="It can keep no secret: the same as --auth-method none."),
        click.option("--auth-method", type=method, help=f"How it sends its secret.  [default: {EITHER}]"),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("clients")
def command() -> None:
    """
    Clients.

    \b
    Example:
      idp clients list
    """


@command.command("create")
@click.option("--id", "client_id", required=True, type=TEXT)
@click.option("--name", required=True, type=TEXT)
@properties
@formatted
def create(form: str, **given: Any) -> None:
    """
    Register a client. Its secret is made here and shown once.

    \b
    Example:
      idp clients create --id my-app --name "My app" --grant password --grant refresh_token
      idp clients create --id my-spa --name "My page" --public --grant authorization_code \\
          --redirect-uri https://spa.example/callback --origin https://spa.example
    """
    if not given["grant_types"]:
        raise click.UsageError("Missing option '--grant': a client without one gets no token.")
    client = Client(**{"scope": DEFAULT_SCOPE} | _chosen(given))

    async def work(services: Services) -> Registered:
        return await services.client_registration.create(client)

    _show(with_services(work), form)


@command.command("list")
@formatted
def list_clients(form: str) -> None:
    """
    List every client.

    \b
    Example:
      idp clients list --format json
    """

    async def work(services: Services) -> list[Client]:
        return await services.clients.all()

    show_records([_record(client) for client in with_services(work)], form, COLUMNS)


@command.command("show")
@ID
@formatted
def show(client_id: str, form: str) -> None:
    """
    Show a client.

    \b
    Example:
      idp clients show my-app
    """

    async def work(services: Services) -> Client:
        return await services.client_registration.find(client_id)

    show_record(_record(with_services(work)), form)


@command.command("update")
@ID
@click.option("--name", type=TEXT)
@properties
@click.option("--enable/--disable", "enabled", default=None, help="Whether it gets tokens at all.")
@formatted
def update(client_id: str, form: str, **given: Any) -> None:
    """
    Change a client: what is not named stays.

    The options that may be repeated replace the whole list; an empty one empties it. A client that stops being public gets
    a secret, shown once.

    \b
    Example:
      idp clients update my-app --origin https://a.example --origin https://b.example
      idp clients update my-app --origin ""
    """
    chosen = _chosen(given)
    if not chosen:
        raise click.UsageError("Name at least one thing to change.")

    async def work(services: Services) -> Registered:
        return await services.client_registration.change(client_id, **chosen)

    _show(with_services(work), form)


@command.command("delete")
@ID
@click.option("--yes", is_flag=True, help="Do not ask.")
@formatted
def delete(client_id: str, yes: bool, form: str) -> None:
    """
    Remove a client and end its sessions.

    \b
    Example:
      idp clients delete my-app --yes
    """
    if not yes:
        click.confirm(f"Remove {client_id} and end every session of its users?", abort=True, err=True)

    async def work(services: Services) -> None:
        await services.client_registration.remove(client_id)

    with_services(work)
    show_record({"client_id": client_id, "deleted": True}, form)


@command.command("rotate-secret")
@ID
@click.option("--overlap", type=Overlap(), default="24h", show_default=True, help="How long the old secret works on.")
@formatted
def rotate_secret(client_id: str, overlap: timedelta, form: str) -> None:
    """
    Give a client a new secret, shown once. The one before it goes on for a while, older ones end.

    \b
    Example:
      idp clients rotate-secret my-app --overlap 1h
    """

    async def work(services: Services) -> Registered:
        return await services.client_registration.rotate_secret(client_id, overlap)

    _show(with_services(work), form)


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Client` that were named; a list given as one empty text is an empty list."""
    method, public = given.pop("auth_method"), given.pop("public")
    if public and method not in (None, "none"):
        raise click.UsageError(f"A public client has no secret to send by {method}.")
    chosen = {name: value for name, value in given.items() if value is not None and value != ()}
    chosen = {name: () if value == ("",) else value for name, value in chosen.items()}
    if public or method:
        chosen["auth_method"] = "none" if public else None if method == EITHER else method
    return chosen


def _show(registered: Registered, form: str) -> None:
    record = _record(registered.client)
    if registered.secret is None:
        show_record(record, form)
        return
    show_record({"client_id": record.pop("client_id"), "client_secret": registered.secret} | record, form)
    click.echo("The secret is shown this once.", err=True)


def _record(client: Client) -> dict[str, Any]:
    """Of the secrets only when each ends: null for the one that does not."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "public": client.public,
        "auth_method": client.auth_method,
        "grant_types": list(client.grant_types),
        "redirect_uris": list(client.redirect_uris),
        "scope": client.scope,
        "origins": list(client.origins),
        "resources": list(client.resources),
        "enabled": client.enabled,
        "secrets_expire_at": [
            instant(secret.expires_at) for secret in client.secrets if secret.live(datetime.now(UTC))
        ],
        "created_at": instant(client.created_at),
    }
