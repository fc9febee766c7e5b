"""
From the text of an environment variable to a value.

A parser says in words what it allows; a fault and the document repeat those words. It raises
`ValueError` for a text that it does not allow, or `Unacceptable` when it can say more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from idp.domain.accounts.passwords import password_faults
from idp.settings.values import LimitSetting

UNITS = {
    "": timedelta(seconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
LARGEST_LIMIT = 1_000_000
SHORTEST_SECRET = 32


class Unacceptable(Exception):
    """The whole sentence about a value that is not allowed. It never contains the value."""


@dataclass(frozen=True, slots=True)
class Parser:
    """*allowed* completes "must be …". *read* is given a text that is not empty."""

    allowed: str
    read: Callable[[str], object]


def one_of(*words: str) -> Parser:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Parser(_either(f"`{word}`" for word in words), read)


def integer_of(*numbers: int) -> Parser:
    def read(text: str) -> int:
        if (number := _digits(text)) not in numbers:
            raise ValueError
        return number

    return Parser(_either(f"`{number}`" for number in numbers), read)


def integer(least: int, most: int, note: str = "") -> Parser:
    def read(text: str) -> int:
        if not least <= (number := _digits(text)) <= most:
            raise ValueError
        return number

    return Parser(f"a whole number from {least:,} to {most:,}{note}", read)


def duration(least: str, most: str) -> Parser:
    """A length of time as a timedelta; *least* and *most* are written as a user would write them."""
    shortest, longest = _length(least), _length(most)
    return Parser(
        f"a duration such as `90s`, `15m`, `1h` or `7d` (a plain number is seconds) from {least} to {most}",
        lambda text: _between(shortest, _length(text), longest),
    )


def limit() -> Parser:
    def read(text: str) -> LimitSetting | None:
        if text == "off":
            return None
        count, _, window = text.partition("/")
        if not 1 <= _digits(count) <= LARGEST_LIMIT:
            raise ValueError
        return LimitSetting(int(count), _between(timedelta(seconds=1), _length(window), timedelta(days=7)))

    return Parser(f"`N/window` such as `5/15m` (N from 1 to {LARGEST_LIMIT:,}, window from 1s to 7d) or `off`", read)


def listed(item: Parser) -> Parser:
    """Comma-separated, spaces around an item ignored, an item given twice counted once, as a tuple in order."""

    def read(text: str) -> tuple[object, ...]:
        return tuple(dict.fromkeys(item.read(part.strip()) for part in text.split(",")))

    return Parser(f"a comma-separated list, each item {item.allowed}", read)


def boolean() -> Parser:
    return Parser("`true` or `false`", lambda text: {"true": True, "false": False}[text.lower()])


def path() -> Parser:
    return Parser("a path", Path)


def network() -> Parser:
    return Parser("a network such as `10.0.0.0/8` or one address such as `192.0.2.7` (no host bits set)", ip_network)


def secrets() -> Parser:
    """The newest first. A secret is counted in bytes of UTF-8."""
    short = f"each secret must have at least {SHORTEST_SECRET} bytes; `openssl rand -hex 32` makes one."

    def read(text: str) -> tuple[bytes, ...]:
        given = tuple(part.strip().encode() for part in text.split(","))
        if any(len(secret) < SHORTEST_SECRET for secret in given):
            raise Unacceptable(short)
        if len(set(given)) < len(given):
            raise Unacceptable("names the same secret twice; each must differ.")
        return given

    return Parser(f"different secrets of at least {SHORTEST_SECRET} bytes, comma-separated, the newest first", read)


def password() -> Parser:
    def read(text: str) -> str:
        if faults := password_faults(text):
            raise Unacceptable(" ".join(faults))
        return text

    return Parser("a password that the policy for accounts allows", read)


def bearer_token(shortest: int = 1) -> Parser:
    def read(text: str) -> str:
        if len(text) < shortest or re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", text) is None:
            raise ValueError
        return text

    size = f"at least {shortest} " if shortest > 1 else ""
    return Parser(f"{size}letters, digits and `-._~+/` (RFC 6750)", read)


def label() -> Parser:
    def read(text: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9._+-]{1,128}", text) is None:
            raise ValueError
        return text

    return Parser("up to 128 letters, digits and `._+-`", read)


def _length(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,8})([smhd]?)", text)
    if match is None:
        raise ValueError
    return int(match[1]) * UNITS[match[2]]


def _between(shortest: timedelta, length: timedelta, longest: timedelta) -> timedelta:
    if not shortest <= length <= longest:
        raise ValueError
    return length


def _digits(text: str) -> int:
    # int() alone would also take "1_000", "+5" and digits of other scripts.
    if re.fullmatch(r"[0-9]{1,10}", text) is None:
        raise ValueError
    return int(text)


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
