"""`idp users`: accounts."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

import click

from idp.cli.environment import with_services
from idp.cli.output import NAME, TEXT, formatted, instant, show_record, show_records
from idp.cli.user_export import export_users
from idp.cli.user_import import import_users
from idp.domain.accounts.user_records import UserFilter
from idp.domain.accounts.users import Role, User

if TYPE_CHECKING:
    from idp.bootstrap import Services
    from idp.domain.accounts.user_records import UserRecord
    from idp.domain.operation.pages import Page

COLUMNS = ("id", "email", "name", "roles", "status", "created_at")
ROLE = click.Choice([role.value for role in Role], case_sensitive=False)
WHO = click.argument("who", metavar="EMAIL_OR_ID", type=TEXT)


@click.group("users")
def command() -> None:
    """
    Users.

    \b
    Example:
      idp users list --search ada
    """


command.add_command(import_users)
command.add_command(export_users)


@command.command("create")
@click.option("--email", required=True, type=TEXT)
@click.option("--name", required=True, type=NAME)
@click.option(
    "--role", "roles", type=ROLE, metavar="USER|ADMIN", multiple=True, help="Once for each role.  [default: USER]"
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--password-env", metavar="VAR", help="Take the password from this environment variable.")
@formatted
def create(
    email: str, name: str, roles: tuple[str, ...], password_stdin: bool, password_env: str | None, form: str
) -> None:
    """
    Make an account. Without a password given, a random one is made and shown once.

    \b
    Example:
      idp users create --email ada@example.com --name Ada --role ADMIN
    """
    given = _password(password_stdin, password_env)
    # Random passwords follow our own policy: a letter of each case and a digit, whatever chance brings.
    password = f"{secrets.token_urlsafe(15)}-aA1" if given is None else given
    chosen = [Role(role) for role in roles] or [Role.USER]

    async def work(services: Services) -> User:
        return await services.user_administration.create(email, name, password, chosen)

    record = _record(with_services(work))
    show_record(record | ({"password": password} if given is None else {}), form)
    if given is None:
        click.echo("The password is shown this once.", err=True)


@command.command("list")
@click.option("--search", type=TEXT, help="Part of the address or the name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@formatted
def list_users(search: str | None, limit: int, form: str) -> None:
    """
    List users.

    \b
    Example:
      idp users list --search example.com --limit 20
    """

    async def work(services: Services) -> Page[UserRecord]:
        return await services.user_administration.page(UserFilter(search=search), limit)

    page = with_services(work)
    show_records([_record(record.user) for record in page.items], form, COLUMNS)
    if page.following:
        click.echo(f"There are more than {limit}: narrow the search or raise --limit.", err=True)


@command.command("show")
@WHO
@formatted
def show(who: str, form: str) -> None:
    """
    Show a user.

    \b
    Example:
      idp users show ada@example.com
    """

    async def work(services: Services) -> User:
        return await services.user_administration.find(who)

    user = with_services(work)
    show_record(_record(user) | dict(user.claims), form)


@command.command("disable")
@WHO
@formatted
def disable(who: str, form: str) -> None:
    """
    Keep a user from signing in, and end every session. Refused for the last active administrator.

    \b
    Example:
      idp users disable ada@example.com
    """

    async def work(services: Services) -> User:
        return await services.user_administration.disable(who)

    show_record(_record(with_services(work)), form)


@command.command("enable")
@WHO
@formatted
def enable(who: str, form: str) -> None:
    """
    Let a disabled user sign in again.

    \b
    Example:
      idp users enable ada@example.com
    """

    async def work(services: Services) -> User:
        return await services.user_administration.enable(who)

    show_record(_record(with_services(work)), form)


@command.command("unlock")
@WHO
@formatted
def unlock(who: str, form: str) -> None:
    """
    Let a user sign in who is locked out after too many wrong passwords, from every device.

    \b
    Example:
      idp users unlock ada@example.com
    """

    async def work(services: Services) -> User:
        return await services.user_administration.unlock(who)

    show_record(_record(with_services(work)), form)


@command.command("set-role")
@WHO
@click.argument("roles", type=ROLE, metavar="USER|ADMIN...", nargs=-1, required=True)
@formatted
def set_role(who: str, roles: tuple[str, ...], form: str) -> None:
    """
    Give a user these roles and no others. Refused when no active administrator would be left.

    \b
    Example:
      idp users set-role ada@example.com USER ADMIN
    """

    async def work(services: Services) -> User:
        return await services.user_administration.set_roles(who, [Role(role) for role in roles])

    show_record(_record(with_services(work)), form)


def _password(from_stdin: bool, variable: str | None) -> str | None:
    if from_stdin and variable is not None:
        raise click.UsageError("Give --password-stdin or --password-env, not both.")
    if from_stdin:
        # `echo` ends with a line break that is not meant.
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        return text.removesuffix("\n").removesuffix("\r")
    if variable is None:
        return None
    if variable not in os.environ:
        raise click.UsageError(f"--password-env: there is no environment variable {variable}.")
    return os.environ[variable]


def _record(user: User) -> dict[str, object]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": [role.value for role in user.roles],
        "status": user.status.value,
        "email_verified": user.email_verified,
        "created_at": instant(user.created_at),
        "updated_at": instant(user.updated_at),
    }
