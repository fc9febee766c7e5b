"""`python tests/security/index.py` writes docs/security-tests.md: what is demanded, by row, and which tests hold it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security-tests.md"
CATALOGUE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text())
ROW = re.compile(r"\b(?:PW|LK|RG|SE|AZ|PK|RU|TE|CA|RF|JW|IR|UI|LO|CO|HD|AD|IN|LG|PX|SC|DS)\d+\b")
GROUPS = {
    "PW": "Passwords and signing in",
    "LK": "Limits and lockout",
    "RG": "Registration, verification, reset",
    "SE": "Sessions and browsers",
    "LO": "Signing out",
    "AZ": "Authorization endpoint",
    "PK": "PKCE",
    "RU": "Redirect URIs",
    "TE": "Token endpoint",
    "CA": "Client authentication",
    "RF": "Refresh tokens",
    "JW": "Access tokens and keys",
    "IR": "Introspection and revocation",
    "UI": "Bearer tokens and profile",
    "CO": "Other origins",
    "HD": "Headers and pages",
    "AD": "Administration",
    "IN": "Input",
    "LG": "Logs and audit trail",
    "PX": "Proxies",
    "SC": "Secrets and configuration",
}
OTHERS = "Clients, resources, nodes, load"
HEAD = """# Security tests

Each row is a promise; the tests that hold it name it in their docstrings. This page is made from them by `make docs`.
"""


def page() -> str:
    parts = [HEAD, *(f"## {title}\n\n{table}" for title, table in tables())]
    return "\n".join(
        [*parts, f"## Faults of others\n\n{INTRODUCTION}\n\n{fault_table()}", f"## Not covered yet\n\n{planned()}"]
    )


INTRODUCTION = """\
Faults that other servers and libraries have had, and the tests that would find them here. Faults of what this server does
not have are left out."""


def tables() -> Iterator[tuple[str, str]]:
    rows: dict[str, str] = CATALOGUE["rows"]
    for group, title in {**GROUPS, "": OTHERS}.items():
        ids = [row for row in rows if row[:2] == group or (not group and row[:2] not in GROUPS)]
        yield title, table(("Row", "Promise", "Tests"), [(row, rows[row], files_with(row)) for row in ids])


def fault_table() -> str:
    faults = CATALOGUE["faults"]
    return table(
        ("Fault", "What it was", "Row", "Tests"),
        [(fault["of"], fault["was"], fault["rows"], files_with(fault["of"].split(" ", 1)[-1])) for fault in faults],
    )


def planned() -> str:
    return "Rows of what is not built yet:\n\n" + table(("What", "Rows"), list(CATALOGUE["planned"].items()))


def table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rules = "---".join("|" * (len(heads) + 1))
    return "\n".join(["| " + " | ".join(heads) + " |", rules, *("| " + " | ".join(line) + " |" for line in lines), ""])


def files_with(name: str) -> str:
    """Those whose docstrings name it, as links from the page."""
    whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?!\d)")
    files = [file for file, texts in docstrings().items() if any(whole.search(text) for text in texts)]
    return ", ".join(f"[{file.removeprefix('test_')}](../tests/{path})" for path, file in map(named, files))


def named(path: str) -> tuple[str, str]:
    return path, path.rpartition("/")[2].removesuffix(".py")


def rows_named() -> set[str]:
    return {row for texts in docstrings().values() for text in texts for row in ROW.findall(text)}


@cache
def docstrings() -> dict[str, list[str]]:
    """Of every test module and every test, by the module's path below tests/."""
    found = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        texts = [ast.get_docstring(tree), *(ast.get_docstring(it) for it in tests if it.name.startswith("test_"))]
        found[file.relative_to(TESTS).as_posix()] = [text for text in texts if text]
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
