"""
What this server asks of others: keys of clients, and that a session has ended.

Who registers a client chooses the address, so a request must not reach what only this server can reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from idp.domain.operation.legible import excerpt

LONGEST_REASON = 200  # characters


class OutgoingFailed(Exception):
    """
    No answer that is of use. The text is for the log: it may tell of what is inside a network.

    It may also repeat what the other side sent, as much of it as that side likes, so it is cut before anything reads it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(excerpt(reason, LONGEST_REASON))


class Outgoing(Protocol):
    """
    Each call ends within seconds, whatever the other side does; no redirect is followed.

    Raises `OutgoingFailed` when the address is not to be asked, or did not answer.
    """

    async def get(self, url: str, *, accept: str) -> bytes:
        """The body of a 200, of 64 KiB at most. *accept*: the media type that is wanted. Another status is a failure."""

    async def post(self, url: str, form: Mapping[str, str]) -> int:
        """The status that a form is answered with; the body is not read."""
