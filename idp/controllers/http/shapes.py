"""What every body and answer in JSON has in common: camelCase names, strict types, instants in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


class Body(BaseModel):
    # Strict: a number is no string. Unknown fields are named rather than dropped, so that a typing error is seen.
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid", hide_input_in_errors=True)


class Query(BaseModel):
    """Parameters of a URL: every one is text at first, so numbers are read from it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class Shape(BaseModel):
    """An answer. Made by name, sent in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True, extra="forbid")


def instant(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainSerializer(instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
