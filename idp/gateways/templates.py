"""Where the templates are: pages and mails."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def templates_folder() -> Path:
    """`idp/templates` in an installed wheel; in a checkout the folder `templates/` beside `idp/`."""
    package = Path(str(files("idp")))
    return package / "templates" if (package / "templates").is_dir() else package.parent / "templates"
