"""
The log: one JSON line a request and an event, on standard output; readable colours on a terminal in development.

Nothing in this program hands a secret to the log. Should a library do it, `masked` is the net beneath: values under names
that hold secrets, and texts that look like tokens, never leave. A log that cannot be written is no reason to stop serving.
"""

from __future__ import annotations

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

SECRET_NAMES = re.compile(
    r"password|secret|token(?!_?endpoint|_?signed)|authorization|cookie|assertion|verifier|^code$", re.IGNORECASE
)
# A refresh token of ours, a JWT, and the credentials of a URL.
SECRET_TEXTS = re.compile(r"idp_rt_[\w-]+|eyJ[\w-]{8,}\.[\w-]+\.?[\w-]*|(?<=://)[^/@\s]+@")
MASK = "***"
LONGEST_PATH = 256


def configure(*, pretty: bool, level: int = logging.INFO, to_stderr: bool = False) -> None:
    """Once per process. *pretty*: for a terminal; else JSON lines."""
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _stamp]
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else _json
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, masked, renderer],
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
            self._lines.write(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def masked(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _mask(name, value) for name, value in line.items()}


@lru_cache(maxsize=1024)
def _holds_secrets(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None


def _mask(name: str, value: Any) -> Any:
    if name != "event" and value is not None and _holds_secrets(name):
        return MASK
    if isinstance(value, str):
        return SECRET_TEXTS.sub(MASK, value)
    if isinstance(value, Mapping):
        return {inner: _mask(str(inner), member) for inner, member in value.items()}
    return value


_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    return orjson.dumps(line, default=str).decode("utf-8", "replace")


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
