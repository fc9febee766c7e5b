"""docs/configuration.md is what the table of settings says."""

import subprocess
import sys
from pathlib import Path

from idp.settings.document import document
from idp.settings.fields import SETTINGS


def test_the_document_is_what_the_table_says():
    stored = Path(__file__).parents[2] / "docs" / "configuration.md"

    assert stored.read_text() == document(), "run `make docs`"


def test_the_module_prints_the_document():
    printed = subprocess.run(
        [sys.executable, "-m", "idp.settings"], capture_output=True, text=True, check=True, timeout=60
    )

    assert printed.stdout == document()


def test_the_document_has_a_row_for_every_setting_and_the_file_of_every_secret():
    page = document()

    for setting in SETTINGS:
        assert page.count(f"\n| `{setting.name}` |") == 1
        assert (f"also as `{setting.file_name}`" in page) == setting.secret
