"""What every list takes: how long a page is, and where it begins."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from idp.controllers.http.shapes import Query

LONGEST_CURSOR = 512
LONGEST_SEARCH = 200


def _canonical(value: Any) -> Any:
    """Python reads many spellings of a UUID; one that is written otherwise than we write it was not got from us."""
    if isinstance(value, str) and len(value) != 36:
        raise ValueError("give a UUID as 36 characters")
    return value


CanonicalUuid = Annotated[UUID, BeforeValidator(_canonical)]
Search = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_SEARCH)]


class Paging(Query):
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=LONGEST_CURSOR)] | None = None
