"""What every command has in common. In this process: no store is needed to say how something is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from idp.cli import GROUPS, main


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, click.Context(inner, info_name=name, parent=context))


EVERY = list(commands(main, click.Context(main, info_name="idp")))
LEAVES = [(command, context) for command, context in EVERY if not isinstance(command, click.Group)]


@pytest.mark.parametrize(("command", "context"), EVERY, ids=[context.command_path for _, context in EVERY])
def test_the_help_of_every_command_has_an_example_of_it(command: click.Command, context: click.Context) -> None:
    example = command.get_help(context).partition("Example:\n")[2]

    assert example.strip().partition("idp ")[2].startswith(context.command_path.partition(" ")[2])


@pytest.mark.parametrize(
    "command", [command for command, context in LEAVES if context.command_path != "idp serve"], ids=lambda one: one.name
)
def test_every_command_that_answers_gives_a_table_or_json(command: click.Command) -> None:
    form = next(option for option in command.params if "--format" in option.opts)

    assert isinstance(form.type, click.Choice)
    assert list(form.type.choices) == ["table", "json"]
    assert form.default == "table"


def test_the_overview_imports_no_command() -> None:
    program = "import sys, idp.cli\ntry: idp.cli.main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    *overview, modules = done.stdout.splitlines()
    assert [line.split()[0] for line in overview if line.strip().startswith(tuple(GROUPS))] == list(GROUPS)
    assert {"idp.bootstrap", "tortoise", "asyncpg", "rich"}.isdisjoint(modules.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["users", "create", "--email", "ada@example.com"],
        ["users", "create", "--email", "a@b.cc", "--name", "Ada", "--password-stdin", "--password-env", "HOME"],
        ["users", "create", "--email", "a@b.cc", "--name", "Ada", "--password-env", "NO_SUCH_VARIABLE"],
        ["users", "set-role", "ada@example.com", "BOSS"],
        ["users", "list", "--limit", "0"],
        ["users", "show", "a\x1b[2J"],
        ["clients", "create", "--id", "app", "--name", "App"],
        [
            "clients",
            "create",
            "--id",
            "a",
            "--name",
            "A",
            "--grant",
            "password",
            "--public",
            "--auth-method",
            "client_secret_post",
        ],
        ["clients", "update", "app"],
        ["clients", "rotate-secret", "app", "--overlap", "soon"],
        ["sessions", "revoke"],
        ["sessions", "revoke", "not-an-id"],
        ["keys", "list", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_before_anything_is_opened(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
