"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOMAIN = sorted((ROOT / "idp" / "domain").rglob("*.py"))
LAYERS = ("controllers", "services", "domain", "repositories")
CAPABILITIES = {"tokens", "sign_in", "accounts", "clients", "sessions", "audit", "operation"}
# What the controllers share: HTTP itself, the hosted pages, the description of the API.
MACHINERY = {"http", "pages", "openapi"}
MOST_ENTRIES = 14


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: str(file.relative_to(ROOT / "idp" / "domain")))
def test_the_domain_imports_the_standard_library_only(file: Path) -> None:
    imported = {name.split(".")[0] for name in imports(ast.parse(file.read_text()))}

    assert imported - sys.stdlib_module_names - {"idp"} == set()


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_has_the_same_capabilities(layer: str) -> None:
    folders = {folder.name for folder in (ROOT / "idp" / layer).iterdir() if (folder / "__init__.py").exists()}

    assert folders - MACHINERY == CAPABILITIES


@pytest.mark.parametrize("layer", LAYERS)
def test_a_folder_fits_in_a_glance(layer: str) -> None:
    crowded = {}
    for folder in [path.parent for path in (ROOT / "idp" / layer).rglob("__init__.py")]:
        entries = [path for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__")]
        if len(entries) > MOST_ENTRIES:
            crowded[str(folder.relative_to(ROOT))] = len(entries)

    assert crowded == {}


def imports(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.append(node.module or "")
    return found
