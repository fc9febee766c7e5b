"""`python -m idp.cli.document` prints docs/command-line.md: what every command says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from idp.cli import main

INTRODUCTION = """# Command line

`idp` and `python -m idp` are the same program; in a checkout it is `.venv/bin/idp`. It reads the same
[settings](configuration.md) as the server and works beside a running one, the embedded stores included; when none
runs, a command starts the embedded stores for as long as it takes.

Exit status: 0 done, 1 refused or not possible now, 2 wrong usage or settings. `--format json` is for programs.
Secrets are shown once, when they are made.

This page is made by `make docs`; a test keeps it true.
"""


def document() -> str:
    context = click.Context(main, info_name="idp", terminal_width=100, max_content_width=100)
    return INTRODUCTION + "".join(_sections(main, context))


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        if isinstance(command, click.Group):
            yield from _sections(command, inner)
        else:
            yield f"\n## {inner.command_path}\n\n```\n{command.get_help(inner)}\n```\n"


if __name__ == "__main__":
    click.echo(document(), nl=False)
