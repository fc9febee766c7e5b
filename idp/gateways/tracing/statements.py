"""
Statements of Postgres as spans, named by what they do and to which tables: `INSERT sessions`, `SELECT sessions users`.

Their text is ours and values travel beside it, yet neither is exported.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import asyncpg

from idp.gateways.tracing.spans import Attributes, Spans, is_traced

METHODS = ("execute", "executemany", "fetch", "fetchmany", "fetchrow", "fetchval")
MOST_TABLES = 3

STEP = re.compile(r"[()]|\b(?:SELECT|INSERT|UPDATE|DELETE)\b")
OTHER_VERBS = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "LOCK", "SET", "NOTIFY", "LISTEN"})
# Names of ours are in lower case and keywords are not; what goes on with "(" is a function.
TABLE = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(?P<table>[a-z][a-z_]*(?:\.[a-z_]+)?)(?![\w.(])')


def traced_connection(spans: Spans) -> type[asyncpg.Connection]:
    """A class of connections, for asyncpg's `connection_class`."""
    methods = {name: _spanned(spans, getattr(asyncpg.Connection, name)) for name in METHODS}
    return type("TracedConnection", (asyncpg.Connection,), {"__slots__": (), **methods})


def _spanned(spans: Spans, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(connection: asyncpg.Connection, query: str, *args: Any, **kwargs: Any) -> Any:
        if not is_traced():
            return await method(connection, query, *args, **kwargs)
        name, attributes = summary(query)
        with spans.span(name, attributes, calls_out=True):
            return await method(connection, query, *args, **kwargs)

    return call


@lru_cache(maxsize=512)
def summary(query: str) -> tuple[str, Attributes]:
    """The span's name and attributes, made of the statement's keywords and tables alone."""
    operation = _operation(query)
    found = TABLE.findall(query) if operation not in OTHER_VERBS else []
    tables = list(dict.fromkeys(found))[:MOST_TABLES]
    name = " ".join([operation, *tables])
    attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.summary": name}
    if len(tables) == 1:
        attributes["db.collection.name"] = tables[0]
    return name, attributes


def _operation(query: str) -> str:
    """The verb outside of all parentheses: that of the statement, and not of a part named by WITH."""
    depth = 0
    for step in STEP.findall(query):
        if step == "(":
            depth += 1
        elif step == ")":
            depth -= 1
        elif depth == 0:
            return str(step)
    first = re.match(r"\s*([A-Z]+)", query)
    return first[1] if first and first[1] in OTHER_VERBS else "OTHER"
