"""
Bodies: read within a size and a time, then decoded strictly.

A lenient reader passes trouble on: a NUL or a lone surrogate breaks the database driver and bcrypt later, a duplicate key
is read one way here and another way behind, deep nesting ends in a RecursionError. All of it is a 400 here.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from idp.controllers.http.exchange import Receive
from idp.domain.errors import Malformed, PayloadTooLarge, RequestTimeout, UnsupportedMediaType

MAX_BODY = 64 * 1024
READ_SECONDS = 10.0
MOST_DISCARDED = 1024 * 1024
DISCARD_SECONDS = 2.0
MAX_FIELDS = 100
MAX_DEPTH = 16


class Disconnected(Exception):
    """The caller went away before the request was complete."""


async def read(receive: Receive, declared_length: bytes | None) -> bytes:
    """The whole body. Raises `PayloadTooLarge`, `RequestTimeout`, `Disconnected`."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            if declared_length is None or (declared_length.isdigit() and int(declared_length) <= MAX_BODY):
                return await _all(receive)
    except TimeoutError:
        raise RequestTimeout from None
    except PayloadTooLarge:
        pass
    await _discard(receive)
    raise PayloadTooLarge


async def _all(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise PayloadTooLarge
        if not message.get("more_body", False):
            return bytes(body)


async def _discard(receive: Receive) -> None:
    """A connection that closes while more still arrives is reset, and its caller would not learn why. Within limits."""
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < MOST_DISCARDED:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                discarded += len(message.get("body", b""))


def decoded_json(body: bytes, content_type: str | None) -> Any:
    """The JSON object in *body*; None for no body without a content type. Raises `UnsupportedMediaType`, `Malformed`."""
    if not body and content_type is None:
        return None
    if _media_type(content_type) != "application/json":
        raise UnsupportedMediaType
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise Malformed("The body is not valid JSON: check brackets, quotes, repeated names and numbers.") from None
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    _check(value)
    return value


def decoded_form(body: bytes, content_type: str | None) -> list[tuple[str, str]]:
    """The fields in their order; none for no body without a content type. Raises `UnsupportedMediaType`, `Malformed`."""
    if not body and content_type is None:
        return []
    if _media_type(content_type) != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the body as application/x-www-form-urlencoded.")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except ValueError:
        raise Malformed(f"The body has more than {MAX_FIELDS} parameters.") from None
    if any("\0" in name or "\0" in value for name, value in fields):
        raise Malformed("A parameter holds a NUL character.")
    return fields


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return number


def _check(value: Any, depth: int = 1) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Malformed("A text holds a NUL character or half a surrogate pair.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)
