"""`idp clients`: the programs that ask for tokens."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from idp.cli.client_options import chosen, properties
from idp.cli.client_transfer import export_clients, import_clients
from idp.cli.environment import with_services
from idp.cli.output import NAME, TEXT, formatted, instant, show_record, show_records
from idp.domain.clients.clients import UNTOLD, Client
from idp.settings.parsing import duration

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.services.clients.client_registration import Registered

COLUMNS = ("client_id", "name", "public", "grant_types", "scope", "enabled")
TOLD = {field.name for field in fields(Client)} - UNTOLD
DEFAULT_SCOPE = "openid profile email offline_access"
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


@click.group("clients")
def command() -> None:
    """
    Clients.

    \b
    Example:
      idp clients list
    """


command.add_command(import_clients)
command.add_command(export_clients)


@command.command("create")
@click.option("--id", "client_id", required=True, type=TEXT)
@click.option("--name", required=True, type=NAME)
@properties
@formatted
def create(form: str, **given: Any) -> None:
    """
    Register a client. Its secret, if it uses one, is made here and shown once.

    \b
    Example:
      idp clients create --id my-app --name "My app" --grant password --grant refresh_token
      idp clients create --id my-spa --name "My page" --public --grant authorization_code \\
          --redirect-uri https://spa.example/callback --origin https://spa.example
      idp clients create --id my-service --name "My service" --grant client_credentials \\
          --auth-method private_key_jwt --jwks-file service-keys.json
    """
    if not given["grant_types"]:
        raise click.UsageError("Missing option '--grant': a client without one gets no token.")
    client = Client(**{"scope": DEFAULT_SCOPE} | chosen(given))

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
@click.option("--name", type=NAME)
@properties
@click.option("--enable/--disable", "enabled", default=None, help="Whether it gets tokens at all.")
@formatted
def update(client_id: str, form: str, **given: Any) -> None:
    """
    Change a client: what is not named stays.

    The options that may be repeated replace the whole list; an empty one empties it. An empty text also takes away what a
    client need not have. A client that begins to use a secret gets one, shown once.

    \b
    Example:
      idp clients update my-app --origin https://a.example --origin https://b.example
      idp clients update my-app --origin ""
    """
    changes = chosen(given)
    if not changes:
        raise click.UsageError("Name at least one thing to change.")

    async def work(services: Services) -> Registered:
        return await services.client_registration.change(client_id, **changes)

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


def _show(registered: Registered, form: str) -> None:
    record = _record(registered.client)
    if registered.secret is None:
        show_record(record, form)
        return
    show_record({"client_id": record.pop("client_id"), "client_secret": registered.secret} | record, form)
    click.echo("The secret is shown this once.", err=True)


def _record(client: Client) -> dict[str, Any]:
    """Of the secrets only when each ends: null for the one that does not."""
    told = {field.name: _plain(getattr(client, field.name)) for field in fields(client) if field.name in TOLD}
    ends = [instant(secret.expires_at) for secret in client.secrets if secret.live(datetime.now(UTC))]
    return {
        "client_id": client.client_id,
        "name": client.name,
        "public": client.public,
        **told,
        "secrets_expire_at": ends,
        "created_at": instant(client.created_at),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
