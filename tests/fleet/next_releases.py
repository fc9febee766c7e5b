"""Releases of tomorrow: copies of these sources with more steps, as docs/upgrades.md wants them to be made."""

from __future__ import annotations

from pathlib import Path

from fleet_nodes import Fleet

from idp.database.migration import known_steps

EXPAND = """
from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("idp", "{before}")]
    operations = [ops.AddField("UserRow", "nickname", fields.TextField(null=True))]
"""
INDEX = """
from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("idp", "{before}")]
    operations = [
        ops.RunSQL(
            ["DROP INDEX CONCURRENTLY IF EXISTS by_nickname", "CREATE INDEX CONCURRENTLY by_nickname ON users (nickname)"],
            reverse_sql="DROP INDEX by_nickname",
        )
    ]
"""
CONTRACT = """
from tortoise import migrations
from tortoise.migrations import operations as ops

ALLOWED = {{"drops a column": "the release before does not use it any more"}}


class Migration(migrations.Migration):
    dependencies = [("idp", "{before}")]
    operations = [ops.RemoveField("UserRow", "nickname")]
"""
HEAD = "class UserRow(Model):\n"


def expanding(fleet: Fleet) -> list[str]:
    """Tree `expand`: a column that its code reads and writes, and an index. The names of its steps."""
    return _with_steps(fleet, "expand", [("nickname", EXPAND), ("nickname_index", INDEX)], uses_it=True)


def without_use(fleet: Fleet) -> list[str]:
    """Tree `settle`: the column is there, its code uses it no longer."""
    return _with_steps(fleet, "settle", [("nickname", EXPAND), ("nickname_index", INDEX)], uses_it=False)


def contracting(fleet: Fleet) -> list[str]:
    """Tree `contract`: the column goes."""
    steps = [("nickname", EXPAND), ("nickname_index", INDEX), ("no_nickname", CONTRACT)]
    return _with_steps(fleet, "contract", steps, uses_it=False)


def _with_steps(fleet: Fleet, name: str, steps: list[tuple[str, str]], *, uses_it: bool) -> list[str]:
    tree = fleet.copied_tree(name)
    names = [known_steps()[-1]]
    for what, text in steps:
        number = int(names[-1][:4]) + 1
        (tree / "migrations" / f"{number:04}_{what}.py").write_text(text.format(before=names[-1]).lstrip())
        names.append(f"{number:04}_{what}")
    if uses_it:
        _use_it(tree / "idp/database/tables.py")
    return names[1:]


def _use_it(tables: Path) -> None:
    text = tables.read_text()
    assert text.count(HEAD) == 1
    before, _, after = text.partition(HEAD)
    tables.write_text(f"{before}{HEAD}    nickname = fields.TextField(null=True)\n{after}")
