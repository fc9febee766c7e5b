"""The document as people read it: chapters of operations, each with the members it takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from idp.controllers.openapi.responses import Json

DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    kind: str
    required: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    anchor: str
    method: str
    path: str
    summary: str
    bearer: bool
    parameters: tuple[Member, ...]
    takes: tuple[Member, ...]
    answers: tuple[Answer, ...]


def chapters(document: Json) -> dict[str, list[Entry]]:
    """By tag, in the document's order."""
    found: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, described in item.items():
            found[described["tags"][0]].append(_entry(path, method, described, schemas))
    return found


def _entry(path: str, method: str, described: Json, schemas: Mapping[str, Json]) -> Entry:
    return Entry(
        anchor=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        bearer={"bearer": []} in described["security"],
        parameters=tuple(
            Member(one["name"], _kind(one["schema"]), one["required"], f"in the {one['in']}")
            for one in described.get("parameters", ())
        ),
        takes=tuple(_members(_schema(described.get("requestBody", {})), schemas)),
        answers=tuple(
            Answer(status, answer["description"], tuple(_members(_schema(answer), schemas)))
            for status, answer in sorted(described["responses"].items())
        ),
    )


def _schema(described: Json) -> Json:
    """Of a body; empty where there is none, and for a problem, which is told of once."""
    content = next(iter(described.get("content", {}).items()), None)
    if content is None or content[0] == "application/problem+json":
        return {}
    schema: Json = content[1].get("schema", {})
    return schema


def _members(schema: Json, schemas: Mapping[str, Json], within: str = "", depth: int = 0) -> Iterator[Member]:
    resolved = _resolved(schema, schemas)
    required = resolved.get("required", ())
    for name, member in resolved.get("properties", {}).items():
        inner = _resolved(member, schemas)
        yield Member(within + name, _kind(inner), name in required, str(inner.get("description", "")))
        if depth < DEEPEST:
            nested = inner.get("items", inner)
            yield from _members(nested, schemas, f"{within}{name}{'[]' if 'items' in inner else ''}.", depth + 1)


def _resolved(schema: Any, schemas: Mapping[str, Json]) -> Json:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return _resolved(kinds[0], schemas) if len(kinds) == 1 else schema


def _kind(schema: Json) -> str:
    if "anyOf" in schema:
        return " | ".join(_kind(kind) for kind in schema["anyOf"] if kind not in ({"type": "null"}, {"const": ""}))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    return str(schema.get("format") or schema.get("type") or "any")
