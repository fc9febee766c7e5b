"""
What a user may be said to be: the rules for the standard claims without a column of their own (OpenID Connect Core, section 5.1).

Each rule takes what was given and returns the form to store. It raises `ValueError` with a sentence for whoever gave it,
which never repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, partial
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from idp.domain.accounts import names

Rule = Callable[[str], str]

BIRTHDATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2}))?")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
LONGEST_LANGUAGE_TAG = 35  # RFC 5646, section 4.4.1
ZONE = re.compile(r"[A-Za-z0-9_+-]{1,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")
PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")
PHONE_PUNCTUATION = str.maketrans("", "", " -.()/")


def line(text: str, *, most: int) -> str:
    """Several spaces count as one."""
    return _sized(names.line(text), most)


def lines(text: str, *, most: int) -> str:
    """As `line`, for what may have several: each is parted from the next by one line feed."""
    return _sized(names.lines(text), most)


def url(text: str) -> str:
    fault = ValueError("Give an address that begins with https:// or http://.")
    if len(text) > names.LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise fault
    try:
        parts = urlsplit(text)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise fault from None
    if parts.scheme not in ("https", "http") or not named or "@" in parts.netloc or set(text) & set("\\<>\"'`"):
        raise fault
    return text


def birthdate(text: str) -> str:
    """`YYYY-MM-DD`, `YYYY` alone, or `0000-MM-DD` for who keeps the year private."""
    fault = ValueError("Give a date as YYYY-MM-DD, 0000-MM-DD without the year, or YYYY.")
    found = BIRTHDATE.fullmatch(text)
    if found is None or found[0] == "0000":
        raise fault
    year, month, day = found[1], found[2] or "01", found[3] or "01"
    try:
        date(int(year) or 2000, int(month), int(day))  # 2000 has a 29th of February
    except ValueError:
        raise fault from None
    return text


def zone(text: str) -> str:
    # A machine without a database of time zones knows none: there the form has to do.
    known = zones()
    if not ZONE.fullmatch(text) or (known and text not in known):
        raise ValueError("Give a time zone such as Europe/Paris.")
    return text


def language(text: str) -> str:
    tag = text.replace("_", "-")
    if len(tag) > LONGEST_LANGUAGE_TAG or not LANGUAGE_TAG.fullmatch(tag):
        raise ValueError("Give a language such as en or fr-CA.")
    return tag


def phone_number(text: str) -> str:
    """E.164, whatever punctuation it was given with."""
    number = text.translate(PHONE_PUNCTUATION) if len(text) <= 40 else ""
    if not PHONE_NUMBER.fullmatch(number):
        raise ValueError("Give a telephone number with its country, such as +33 1 23 45 67 89.")
    return number


@cache
def zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _sized(text: str, most: int) -> str:
    if not 1 <= len(text) <= most:
        raise ValueError(f"This has 1 to {most} characters; leave it out, or null, for none.")
    return text


# Claim → its rule, of those that are texts.
RULES: Mapping[str, Rule] = {
    "given_name": partial(line, most=100),
    "family_name": partial(line, most=100),
    "middle_name": partial(line, most=100),
    "nickname": partial(line, most=100),
    "preferred_username": partial(line, most=100),
    "profile": url,
    "picture": url,
    "website": url,
    "gender": partial(line, most=50),
    "birthdate": birthdate,
    "zoneinfo": zone,
    "locale": language,
    "phone_number": phone_number,
}
# Member of the claim `address` → its rule (section 5.1.1).
ADDRESS_RULES: Mapping[str, Rule] = {
    "formatted": partial(lines, most=500),
    "street_address": partial(lines, most=300),
    "locality": partial(line, most=100),
    "region": partial(line, most=100),
    "postal_code": partial(line, most=32),
    "country": partial(line, most=100),
}
