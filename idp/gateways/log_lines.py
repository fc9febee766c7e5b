"""
The log: one JSON line a request and an event, on standard output; readable colours on a terminal in development.

Nothing in this program hands a secret to the log. Should a library do it, `masked` is the net beneath: values under names
that hold secrets, and texts that look like tokens, never leave. A log that cannot be written is no reason to stop serving.

What stands in a line may be of anybody's choice: a path, the reason of a failure that repeats what another server sent. So
it is cut before it is looked at, the patterns take time in proportion to the text, and no control character is written raw.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog

from idp.domain.operation.legible import legible

SECRET_NAMES = re.compile(
    r"password|secret|token(?!_?endpoint|_?signed|_?claims)|authorization|cookie|assertion|verifier|^code$",
    re.IGNORECASE,
)
# A refresh token of ours, a JWT or its beginning, and the credentials of a URL. After eight letters nothing can fail any more:
# with a dot asked for, "eyJeyJ…" was read to its end from each "eyJ" in it, which took 21 s for 90 kB.
SECRET_TEXTS = re.compile(r"idp_rt_[\w-]+|eyJ[\w-]{8,}(?:\.[\w-]*){0,4}|(?<=://)[^/@\s]+@")
MASK = "***"
PLAIN = (int, float, datetime, type(None))
STACKS = frozenset({"exception", "stack"})
LONGEST_NAME = 100
LONGEST_PATH = 256
# In characters. A stack is longer than any other text, and both its ends count: it ends with what was raised.
LONGEST_TEXT = 16 * 1024
LONGEST_READ = 256 * 1024
CUT = " […] "
# JSON escapes what is below the space. A terminal that shows the line obeys DEL and the characters above it too.
UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def configure(*, pretty: bool, level: int = logging.INFO, to_stderr: bool = False) -> None:
    """Once per process. *pretty*: for a terminal; else JSON lines."""
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _stamp]
    rendering: list[Any] = [_printable, structlog.dev.ConsoleRenderer()] if pretty else [_json]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, masked, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_LineFactory(sys.stderr if to_stderr else sys.stdout),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.WARNING)
    for noisy in ("authlib", "tortoise", "quart", "hypercorn", "asyncio"):
        # At debug level these print queries with their values, and tokens.
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def naming(ids: Callable[[], dict[str, str]]) -> Iterator[None]:
    """Until the end of the block each line has what *ids* gives where it is written, such as the ids of a trace."""
    # In place: loggers that have written already keep the list that they had then.
    processors: list[Any] = structlog.get_config()["processors"]

    def name(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.update(ids())
        return line

    processors.insert(0, name)
    try:
        yield
    finally:
        processors.remove(name)


class RequestLog:
    """
    One line for each request. As JSON it is written without the processors above, at a tenth of their cost: no secret stands
    in any of these, but the path is the caller's choice and is masked like everything else. *ids*: as for `naming`.
    """

    def __init__(self, *, pretty: bool, ids: Callable[[], dict[str, str]] | None = None) -> None:
        self._ids = ids
        self._lines = None if pretty else _Lines(sys.stdout)
        self._log = structlog.get_logger("idp.http")

    def __call__(self, *, method: str, path: str, status: int, seconds: float, address: str, request_id: str) -> None:
        line = {
            "event": "request",
            "level": "info",
            "method": method,
            "path": SECRET_TEXTS.sub(MASK, path[:LONGEST_PATH]),
            "status": status,
            "ms": round(seconds * 1000, 1),
            "address": address,
            "request_id": request_id,
        }
        if self._lines is None:
            self._log.info(line.pop("event"), **line)
        else:
            if self._ids is not None:
                line.update(self._ids())
            line["timestamp"] = datetime.now(UTC)
            self._lines.write(_safe(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)))


def masked(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _mask(name, value) for name, value in line.items()}


@lru_cache(maxsize=1024)
def _holds_secrets(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None


def _mask(name: str, value: Any) -> Any:
    if name != "event" and value is not None and _holds_secrets(name[:LONGEST_NAME]):
        return MASK
    if isinstance(value, str):
        return _cut(SECRET_TEXTS.sub(MASK, value[:LONGEST_READ]))
    if isinstance(value, Mapping):
        return {inner: _mask(str(inner), member) for inner, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mask(name, member) for member in value]
    return value if isinstance(value, PLAIN) else _mask(name, str(value))


def _cut(text: str) -> str:
    """Once it is masked: a piece of a token would not be known for one."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]}{CUT}{text[-LONGEST_TEXT // 2 :]}"


def _printable(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal, where what is written is obeyed. A stack keeps its lines; values that are no texts are shown by repr()."""
    return {
        legible(name): legible(value, keep="\n" if name in STACKS else "") if isinstance(value, str) else value
        for name, value in line.items()
    }


_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    try:
        return _safe(orjson.dumps(line, default=str)).decode()
    except TypeError:  # half a surrogate pair, as in the name of a file that is not UTF-8
        return json.dumps(line, default=str)


def _safe(line: bytes) -> bytes:
    """*line* is JSON."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


class _LineFactory:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, *_: Any) -> _Lines:
        return _Lines(self._stream)


class _Lines:
    """Writes lines. A full disk or a closed pipe loses lines, not requests."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        self.write(f"{line}\n".encode("utf-8", "replace"))

    def write(self, line: bytes) -> None:
        """*line* ends with a line feed."""
        with suppress(OSError, ValueError):
            self._stream.buffer.write(line)
            self._stream.buffer.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Forward(logging.Handler):
    """What libraries log by the standard module, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
