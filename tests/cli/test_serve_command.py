"""What `idp serve` refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Forked


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("login.html", "{% if %}", "Expected an expression"), ("locales/de.toml", "= nothing", "de.toml")],
)
async def test_templates_that_cannot_be_used_are_named_at_once(
    program: Forked, tmp_path: Path, name: str, content: str, said: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)

    answer = program("serve", "--port", "1", IDP_TEMPLATES_DIR=str(tmp_path))

    assert answer.status == 1
    assert "IDP_TEMPLATES_DIR" in answer.err
    assert said in answer.err
    assert "Traceback" not in answer.err
