"""What commands say on a terminal of names and files that others chose (LG8)."""

from __future__ import annotations

import pytest

from idp.cli.environment import Stopped
from idp.cli.progress import Progress


def test_a_line_about_a_file_holds_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().tell("users.jsonl:1: name: \x1b]0;owned\x07\u202e")

    assert capsys.readouterr().err == "users.jsonl:1: name: \\x1b]0;owned\\x07\\u202e\n"


def test_why_a_command_stopped_holds_no_control_characters_and_keeps_its_lines() -> None:
    assert Stopped("a\nb\x1b[2J").format_message() == "a\nb\\x1b[2J"
