"""
What a migration may do while the release before it serves: the rules of docs/upgrades.md, read from the SQL of each step.

A step that breaks one of them on purpose says so, and why, beside its class: `ALLOWED = {"drops a column": "unused since 0.2"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME = r'(?:"?\w+"?\.)?"?(?P<table>\w+)"?'
ON_TABLE = rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{NAME} "

# On a table that was there before the step. Each is a pattern of one statement.
RULES = {
    "drops a table": rf"DROP TABLE (?:IF EXISTS )?{NAME}",
    "drops a column": rf"{ON_TABLE}.*\bDROP COLUMN\b",
    "renames": rf"{ON_TABLE}.*\bRENAME (?:COLUMN|TO)\b",
    "changes a type": rf"{ON_TABLE}.*\bALTER COLUMN \S+ (?:SET DATA )?TYPE\b",
    "drops a default": rf"{ON_TABLE}.*\bALTER COLUMN \S+ DROP DEFAULT\b",
    "sets NOT NULL": rf"{ON_TABLE}.*\bALTER COLUMN \S+ SET NOT NULL\b",
    "adds NOT NULL without a default": rf"{ON_TABLE}ADD (?:COLUMN )?(?!CONSTRAINT)(?!.*\bDEFAULT\b).*\bNOT NULL\b",
    "adds a default that rewrites": (
        rf"{ON_TABLE}ADD (?:COLUMN )?(?!CONSTRAINT).*\bDEFAULT\b.*\b(?:gen_random_uuid|random|clock_timestamp|nextval)\b"
    ),
    "adds a unique or referring column": rf"{ON_TABLE}ADD (?:COLUMN )?(?!CONSTRAINT).*\b(?:UNIQUE|REFERENCES|PRIMARY KEY)\b",
    "checks every row": rf"{ON_TABLE}ADD CONSTRAINT \S+ (?:CHECK|FOREIGN KEY)\b(?!.*\bNOT VALID\b)",
    "builds an index under a lock": rf"{ON_TABLE}ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?! USING INDEX)",
    "indexes without CONCURRENTLY": (
        rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?\S+ ON (?:ONLY )?{NAME}"
    ),
    "writes every row": rf"(?:UPDATE|DELETE FROM) {NAME}",
    "locks a table": rf"(?:LOCK(?: TABLE)?|TRUNCATE(?: TABLE)?|CLUSTER|VACUUM FULL) {NAME}",
    "adds a trigger": rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .* ON {NAME}",
}
MADE = re.compile(rf"CREATE (?:TEMP |UNLOGGED )?TABLE (?:IF NOT EXISTS )?{NAME}", re.IGNORECASE)
IN_A_TRANSACTION = "builds CONCURRENTLY in a transaction"


def broken(statements: Iterable[str], *, atomic: bool) -> set[str]:
    """The names of the rules that a step with these *statements* breaks."""
    parts = [part for statement in statements for part in _parts(statement)]
    new = {found["table"].lower() for part in parts if (found := MADE.match(part))}
    names = {
        name
        for part in parts
        for name, pattern in RULES.items()
        if (found := re.match(pattern, part, re.IGNORECASE)) and found["table"].lower() not in new
    }
    if atomic and any(re.search(r"\bINDEX CONCURRENTLY\b", part, re.IGNORECASE) for part in parts):
        names.add(IN_A_TRANSACTION)
    return names


def _parts(text: str) -> list[str]:
    """Single statements, without comments and the bodies of functions, on one line."""
    text = re.sub(r"(\$\w*\$).*?\1", "''", text, flags=re.DOTALL)
    text = re.sub(r"--[^\n]*", "", text)
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]
