"""The routes of the application and their declarations as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from idp.controllers.http.operation import Operation
from idp.controllers.openapi import responses
from idp.controllers.openapi.responses import Json
from idp.domain.errors import RateLimited, Unavailable

VARIABLE = re.compile(r"<(?:(?P<converter>[a-z]+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
VARIABLE_SCHEMAS: Mapping[str | None, Json] = {"uuid": {"type": "string", "format": "uuid"}, "int": {"type": "integer"}}
REFERENCE = "#/components/schemas/{model}"
# Which part of the server a path belongs to, by its beginning; the first that fits.
TAGS = {"/auth/": "Accounts", "/admin/": "Administration", "/oauth2/": "Tokens", "/.well-known/": "Tokens"}
OTHER_TAG = "Operation"
BEARER = [{"bearer": list[str]()}]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, with the view's declarations."""

    path: str
    method: str
    view: Callable[..., Any]

    @property
    def declared(self) -> Operation:
        found: Operation = self.view.operation  # type: ignore[attr-defined]
        return found

    @property
    def access(self) -> str:
        found: str = self.view.access  # type: ignore[attr-defined]
        return found

    @property
    def limited(self) -> bool:
        """Per address or per administrator before the view, or per user in it."""
        return hasattr(self.view, "limit") or RateLimited in self.declared.refuses

    @property
    def name(self) -> str:
        """Unique, since it is made of what makes the route unique: `getAdminUsersUserId`."""
        words = re.findall(r"[A-Za-z0-9]+", self.template)
        return self.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)

    @property
    def template(self) -> str:
        """The path with its variables as OpenAPI writes them."""
        return VARIABLE.sub(lambda found: f"{{{to_camel(found['name'])}}}", self.path)


def document(routes: Iterable[Route], *, issuer: str, version: str, protocol: Mapping[str, Json]) -> Json:
    """*protocol*: Path Item Objects of the endpoints that are no routes of the application."""
    found = sorted(routes, key=lambda route: (route.template, route.method))
    references, schemas = _schemas(found)
    paths: dict[str, Json] = {}
    for route in found:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "idp",
            "version": version,
            "description": "An OAuth 2.0 and OpenID Connect token server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer.rstrip("/")}],
        "tags": [{"name": name} for name in dict.fromkeys([*TAGS.values(), OTHER_TAG])],
        "paths": dict(sorted({**paths, **protocol}.items())),
        "components": {
            "schemas": dict(sorted({**schemas, "Problem": responses.PROBLEM_SCHEMA}.items())),
            "headers": dict(responses.HEADERS),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "client": {"type": "http", "scheme": "basic", "description": "client_id and client_secret"},
                "registration": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Of the operator, or of the client.",
                },
                "metrics": {"type": "http", "scheme": "bearer", "description": "IDP_METRICS_TOKEN"},
            },
        },
    }


def tag(path: str) -> str:
    return next((name for beginning, name in TAGS.items() if path.startswith(beginning)), OTHER_TAG)


def _schemas(routes: Iterable[Route]) -> tuple[Mapping[Any, Json], Json]:
    """A reference for each model in the way it is used, and the components that they point to."""
    used: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for route in routes:
        if route.declared.takes:
            used[route.declared.takes, "validation"] = None
        for given in filter(None, (route.declared.gives, *route.declared.also.values())):
            used[given, "serialization"] = None
    references, definitions = models_json_schema(list(used), ref_template=REFERENCE)
    return references, definitions.get("$defs", {})


def _operation(route: Route, references: Mapping[Any, Json]) -> Json:
    declared = route.declared
    described: Json = {
        "operationId": route.name,
        "tags": [tag(route.path)],
        "summary": declared.summary,
        "parameters": [*_variables(route.path), *_parameters(declared)],
        "responses": _answers(route, references),
        "security": BEARER if route.access in ("user", "admin") else [],
    }
    if declared.takes:
        schema = references[declared.takes, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {name: value for name, value in described.items() if value or name in ("responses", "security")}


def _answers(route: Route, references: Mapping[Any, Json]) -> Json:
    declared = route.declared
    limits = responses.LIMITED if route.limited else ()
    good: Json = {"description": declared.summary + ".", "headers": responses.headers(*limits, *declared.headers)}
    if declared.gives:
        good["content"] = {declared.media_type: {"schema": references[declared.gives, "serialization"]}}
    elif declared.media_type != "application/json":
        good["content"] = {declared.media_type: {}}
    if declared.streams:
        good["content"][declared.streams] = {}
    refused = responses.refusals(
        declared, route.access, limited=route.limited, variables=VARIABLE.search(route.path) is not None
    )
    if tag(route.path) != OTHER_TAG:
        refused.append(Unavailable)
    also = {
        str(status): {
            "description": declared.summary + ".",
            "headers": responses.headers(),
            "content": {"application/json": {"schema": references[model, "serialization"]}},
        }
        for status, model in declared.also.items()
    }
    return {str(declared.status): good, **responses.described(refused, limited=route.limited), **also}


def _variables(path: str) -> list[Json]:
    return [
        {
            "name": to_camel(found["name"]),
            "in": "path",
            "required": True,
            "schema": VARIABLE_SCHEMAS.get(found["converter"], {"type": "string"}),
        }
        for found in VARIABLE.finditer(path)
    ]


def _parameters(declared: Operation) -> list[Json]:
    described = [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in declared.reads
    ]
    if declared.query is None:
        return described
    schema = declared.query.model_json_schema(by_alias=True)
    definitions, required = schema.get("$defs", {}), schema.get("required", ())
    return described + [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            # Forms send what was not filled in as an empty text, and it counts as left out.
            "schema": {"anyOf": [_inlined(member, definitions), {"const": ""}]},
        }
        for name, member in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: Mapping[str, Json]) -> Any:
    """*schema* without references and without the null of "not given": a parameter is there or it is not."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default", "title")}
    if len(kinds) == 1:
        return {**rest, **_inlined(kinds[0], definitions)}
    return {name: _inlined(value, definitions) for name, value in rest.items()}
