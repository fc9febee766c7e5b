"""What is told of refresh tokens, beside the answers: events for the trail, in batches, and numbers for the metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.domain.sessions.sessions import Session
from idp.domain.tokens.refresh_tokens import Outcome
from idp.services.audit.counted_events import CountedEvents

INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class RefreshWatch:
    """*on_outcome* is told once what became of each token that was presented, *on_family* whether Redis knew its family."""

    refreshes: CountedEvents
    strangers: CountedEvents
    on_outcome: Callable[[str], None]
    on_family: Callable[[bool], None]

    def rotated(self, session: Session, outcome: Outcome) -> None:
        self.on_outcome(outcome.value)
        self.refreshes.note(session)

    def refused(self, outcome: str) -> None:
        """An `Outcome`, or `INVALID` for what is no token of this server."""
        self.on_outcome(str(outcome))

    def of_another_client(self, session: Session, claimed_client_id: str) -> None:
        """Of a token of *session*, at any door: counted, since nothing limits who tries it."""
        self.strangers.note(session, claimed_client_id=claimed_client_id)

    def over(self, why: str) -> None:
        """The record of the session says that it has ended."""
        self.on_outcome((Outcome.EXPIRED if why == "expired" else Outcome.REVOKED).value)
