"""What happened with an account, as its owner is told of it: of the audit trail, only what the owner can judge."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.audit.trail import AuditTrail, EventFilter, RecordedEvent
from idp.domain.operation.pages import Page, Place

SHOWN = (
    "signed_in",
    "reauthenticated",
    "client_signed_in",
    "sign_in_failed",
    "account_locked",
    "account_unlocked",
    "password_changed",
    "password_reset",
    "session_revoked",
    "refresh_token_reused",
    "code_reused",
    "email_changed",
    "email_verified",
    "consent_granted",
    "consent_withdrawn",
    "signed_out",
)
PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInHistory:
    trail: AuditTrail

    async def page(self, user_id: UUID, after: Place | None = None) -> Page[RecordedEvent]:
        """Newest first, 50 at a time."""
        return await self.trail.page(EventFilter(user_id=user_id, names=SHOWN), PAGE, after)
