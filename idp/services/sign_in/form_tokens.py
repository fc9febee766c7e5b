"""
Tokens in forms: a form counts only when it was shown to the same browser, and to the same user in it.

The token is an MAC over the cookie that tells browsers apart and the browser session that the form was shown to (none, for
who is not signed in), so no other site can make one, and a form left open belongs to nobody after another user signed in.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FormTokens:
    """*keys*: the first makes, all verify."""

    keys: Sequence[bytes] = field(repr=False)

    def make(self, browser: str, session_id: UUID | None = None) -> str:
        return _mac(self.keys[0], browser, session_id)

    def genuine(self, presented: str, browser: str, session_id: UUID | None = None) -> bool:
        given = presented.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(given, _mac(key, browser, session_id).encode()) for key in self.keys)


def _mac(key: bytes, browser: str, session_id: UUID | None) -> str:
    message = (
        b"idp form 1" + (session_id.bytes if session_id else b"") + b"\0" + browser.encode("utf-8", "surrogatepass")
    )
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=").decode("ascii")
