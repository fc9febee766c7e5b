"""docs/command-line.md is what the program says of itself."""

from __future__ import annotations

from pathlib import Path

from idp.cli.document import document

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == document(), "run `make docs`"


def test_every_command_shows_an_example() -> None:
    commands = document().split("\n## idp ")[1:]

    assert len(commands) > 15
    assert [command.splitlines()[0] for command in commands if "Example:" not in command] == []
