"""
The command line: `idp serve`, `idp users …`. One file a group of commands, imported when it is asked for.

Exit status: 0 done, 1 refused or not possible now, 2 wrong usage or settings.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType

import click

GROUPS = {
    "serve": "Run the server.",
    "db": "Migrate the database, back it up.",
    "keys": "Signing keys.",
    "users": "Users.",
    "clients": "Clients.",
    "consents": "What users have allowed clients.",
    "sessions": "Sessions.",
    "audit": "The audit trail.",
    "doctor": "What is configured, what answers, what is unsafe.",
}


class Lazy(click.Group):
    """Knows its commands by name; the file `idp/cli/NAME.py` holds `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in GROUPS:
            return None
        command: click.Command = import_module(f"idp.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(GROUPS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="idp", prog_name="idp")
def main() -> None:
    """
    An OAuth 2.0 and OpenID Connect token server.

    \b
    Example:
      idp serve
      idp users create --email ada@example.com --name Ada --role ADMIN

    Settings come from the environment (IDP_…): see docs/configuration.md.
    """
    # The first process of a container does not get a signal that it has no handler for, and would be killed in the end. What
    # a server does about one when it serves is its own business (`idp.cli.serve`).
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
