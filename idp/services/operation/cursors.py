"""
Cursors: where the next page of a list begins, in a text that only this server makes.

A cursor is signed together with the name of its list and the filters it was made for, so that one from elsewhere, or for
another question, is refused instead of showing something in between. What it holds is no secret to who got the page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from idp.domain.errors import FieldError, ValidationFailed
from idp.domain.operation.pages import Place

LONGEST = 512
MAC_SIZE = 16


@dataclass(frozen=True, slots=True)
class Cursors:
    """*keys*: the first signs, all verify."""

    keys: Sequence[bytes] = field(repr=False)

    def write(self, listing: str, filters: Mapping[str, object], place: Place | None) -> str | None:
        """None for the end of the list. Filters that are None count as not given."""
        if place is None:
            return None
        content = orjson.dumps([place.at, place.id])
        return base64.urlsafe_b64encode(_mac(self.keys[0], listing, filters, content) + content).rstrip(b"=").decode()

    def read(self, listing: str, filters: Mapping[str, object], cursor: str | None) -> Place | None:
        """Raises `ValidationFailed` naming `cursor` for any that `write` did not make for this list and these filters."""
        if cursor is None:
            return None
        raw = _decoded(cursor)
        mac, content = raw[:MAC_SIZE], raw[MAC_SIZE:]
        if not any(hmac.compare_digest(mac, _mac(key, listing, filters, content)) for key in self.keys):
            raise ValidationFailed(
                [FieldError("cursor", "is not from this list with these filters: begin without one")]
            )
        at, row_id = orjson.loads(content)
        return Place(datetime.fromisoformat(at), row_id)


def _decoded(cursor: str) -> bytes:
    """Empty for what is no base64url: it has no valid signature either."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)[:LONGEST]
    except (ValueError, binascii.Error):
        return b""


def _mac(key: bytes, listing: str, filters: Mapping[str, object], content: bytes) -> bytes:
    given = {name: str(value) for name, value in filters.items() if value is not None}
    signed = orjson.dumps([listing, given, content.decode("latin-1")], option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, signed, hashlib.sha256)[:MAC_SIZE]
