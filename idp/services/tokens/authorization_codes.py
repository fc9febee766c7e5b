"""Issuing, presenting and redeeming authorization codes (RFC 6749, section 4.1; RFC 7636; RFC 9700, section 2.1.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

from idp.domain.audit.events import CodeReused, Events
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import RevokedReason, Sessions
from idp.domain.tokens.authorization_codes import AuthorizationCodes, AuthorizedGrant, Redeemed
from idp.services.sessions.sessions import SessionService

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1


@dataclass(frozen=True, slots=True)
class PresentedCode:
    """A code that may be redeemed by who presents it."""

    digest: str
    grant: AuthorizedGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeService:
    codes: AuthorizationCodes
    records: Sessions
    sessions: SessionService
    events: Events

    async def issue(self, grant: AuthorizedGrant) -> str:
        """256 bits in base64url. Raises `StoreUnavailable`."""
        code = secrets.token_urlsafe(32)
        await self.codes.add(_digest(code), grant)
        return code

    async def present(
        self, code: str, client_id: str, *, redirect_uri: str | None, code_verifier: str | None
    ) -> PresentedCode:
        """
        What *code* stands for, for an authenticated client.

        Raises `InvalidToken` for one that is unknown or over; that was redeemed before: then its session ends; and for one
        that comes with another client, redirect URI or verifier than it was issued for: then it is over, since whoever holds
        it is not who asked for it.
        """
        digest = _digest(code)
        found = await self.codes.find(digest)
        if found is None:
            raise InvalidToken(reason="unknown code")
        if isinstance(found, Redeemed):
            await self._end(found.session_id)
            raise InvalidToken(reason="code used before")
        if fault := _fault(found, client_id, redirect_uri, code_verifier):
            await self.codes.redeem(digest, uuid4())
            raise InvalidToken(reason=fault)
        return PresentedCode(digest, found)

    async def redeem(self, presented: PresentedCode, session_id: UUID) -> None:
        """Of many calls at once, one returns; the others raise `InvalidToken`, and are a second use as any other."""
        if not await self.codes.redeem(presented.digest, session_id):
            if isinstance(found := await self.codes.find(presented.digest), Redeemed):
                await self._end(found.session_id)
            raise InvalidToken(reason="code used before")

    async def started(self, presented: PresentedCode, session_id: UUID) -> None:
        """
        The session that the code begins is stored. A second use that came before that found nothing to end, so it is made
        good here: whichever comes first, the session ends.
        """
        if await self.codes.used_again(presented.digest):
            await self._end(session_id)

    async def _end(self, session_id: UUID) -> None:
        state = await self.records.find(session_id)
        if state is None or state.session.revoked_at is not None:
            return
        session = state.session
        if await self.sessions.revoke(session, RevokedReason.CODE_REUSED):
            event = CodeReused(user_id=session.user_id, client_id=session.client_id, session_id=session.id)
            await self.events.record(event)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _fault(grant: AuthorizedGrant, client_id: str, redirect_uri: str | None, code_verifier: str | None) -> str | None:
    if grant.client_id != client_id:
        return "code of another client"
    if grant.redirect_uri is not None and grant.redirect_uri != redirect_uri:
        return "another redirect_uri"
    if grant.code_challenge is None:
        # A verifier without a challenge: somebody has taken the challenge out of the request (RFC 9700, section 2.1.1).
        return "code_verifier without a code_challenge" if code_verifier else None
    return None if _verified(grant.code_challenge, code_verifier) else "code_verifier missing or wrong"


def _verified(challenge: str, verifier: str | None) -> bool:
    if verifier is None or not VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode("ascii"))
