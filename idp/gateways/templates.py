"""Where the templates are, pages and mails, and the demo application."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def templates_folder() -> Path:
    """`idp/templates` in an installed wheel; in a checkout the folder `templates/` beside `idp/`."""
    package = Path(str(files("idp")))
    return package / "templates" if (package / "templates").is_dir() else package.parent / "templates"


def demo_folder() -> Path:
    """`idp/demo` in an installed wheel; in a checkout the example `examples/spa/`."""
    package = Path(str(files("idp")))
    return package / "demo" if (package / "demo").is_dir() else package.parent / "examples" / "spa"
