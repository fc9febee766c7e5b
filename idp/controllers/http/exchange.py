"""One HTTP exchange, as the edge hands it over: read in full, decoded strictly, with an id and the caller's address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from quart import request

from idp.domain.errors import FieldError, Malformed, Refusal, UnsupportedMediaType, ValidationFailed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Model = TypeVar("Model", bound=BaseModel)

LONGEST_NAME = 100
MOST_PARAMETERS = 50
SCOPE_KEY = "idp.exchange"


@dataclass(slots=True)
class Exchange:
    """
    *json* is the decoded body of a JSON endpoint, None when there was no body; *form* the fields of a form endpoint in
    their order. *unreadable*: why there is no *json*, to be told by the route, once it has counted the call and knows who
    calls. *address* is the caller's, through trusted proxies. *route* is the pattern that the path matched.
    """

    request_id: str
    address: str
    method: str
    path: str
    query: bytes = b""
    headers: dict[bytes, list[bytes]] = field(default_factory=dict)
    json: Any = None
    unreadable: Refusal | None = None
    form: list[tuple[str, str]] = field(default_factory=list)
    route: str = "other"

    def header(self, name: bytes) -> str | None:
        """The header's value in Latin-1; of several the first, and who must not see several asks `headers`."""
        values = self.headers.get(name)
        return values[0].decode("latin-1") if values else None


def current() -> Exchange:
    """Of the request that Quart serves now."""
    return cast("Exchange", cast("Scope", request.scope)[SCOPE_KEY])


def body(model: type[Model]) -> Model:
    """
    The JSON body as *model*. Raises `ValidationFailed` with every fault, under the names that the caller used,
    `UnsupportedMediaType` when there is no JSON body.
    """
    exchange = current()
    if exchange.json is None:
        raise UnsupportedMediaType
    return _checked(model, exchange.json)


def query(model: type[Model]) -> Model:
    """The parameters of the URL as *model*; an empty one counts as left out. Raises as `body`; repeated ones are refused."""
    try:
        pairs = parse_qsl(
            current().query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise Malformed(f"Send at most {MOST_PARAMETERS} parameters, percent-encoded as UTF-8.") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Malformed("A parameter is repeated.")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Malformed("A parameter holds a NUL character.")
    return _checked(model, {name: value for name, value in pairs if value})


def _checked(model: type[Model], given: Any) -> Model:
    try:
        return model.model_validate(given)
    except ValidationError as faults:
        # Without the input and the URL of the documentation: an input may be a password.
        found = faults.errors(include_url=False, include_context=False, include_input=False)
        raise ValidationFailed([FieldError(_name(fault["loc"]), _message(fault["msg"])) for fault in found]) from None


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)[:LONGEST_NAME] or "body"


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")
