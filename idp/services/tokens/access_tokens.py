"""
Access tokens: RS256 JWTs after RFC 9068.

Header `alg RS256, typ at+jwt, kid`. Claims `iss sub aud client_id iat exp jti scope roles`, and of a user's token also
`sid auth_time`. The audience is the requested resource (RFC 8707), else the issuer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from idp.domain.errors import InvalidToken
from idp.domain.operation.signing_keys import ALGORITHM, SigningKeys
from idp.domain.sessions.sessions import Session, Sessions, SessionState
from idp.domain.tokens.revoked_tokens import RevokedTokens

TYPE = "at+jwt"
HEADER = {"alg", "typ", "kid"}
LEEWAY = 30
JTI = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a token is about: a user in a session, or a client for itself (*session_id* None)."""

    sub: str
    client_id: str
    scope: str
    audience: str | None
    roles: Sequence[str] = ()
    session_id: UUID | None = None
    auth_time: datetime | None = None

    @classmethod
    def of(
        cls, session: Session, roles: Sequence[str], *, scope: str | None = None, audience: str | None = None
    ) -> Subject:
        """The user of *session*, with its scope and audience where no other is given."""
        return cls(
            sub=str(session.user_id),
            client_id=session.client_id,
            scope=session.scope if scope is None else scope,
            audience=audience or session.audience,
            roles=roles,
            session_id=session.id,
            auth_time=session.auth_time,
        )


@dataclass(frozen=True, slots=True)
class LiveToken:
    """What a token says, and the present state of its session; None for a client's own token, which has none."""

    claims: Mapping[str, Any]
    state: SessionState | None

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(str(self.claims.get("scope", "")).split())


@dataclass(frozen=True, slots=True)
class UserToken(LiveToken):
    """A user's, for this server."""

    state: SessionState

    @property
    def claimed_roles(self) -> Sequence[str]:
        """Of the time when the token was made."""
        roles = self.claims.get("roles")
        return roles if isinstance(roles, list) else ()


class AccessTokens:
    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str,
        lifetime: timedelta,
        now: Callable[[], datetime],
        sessions: Sessions,
        revoked_tokens: RevokedTokens,
        on_forged: Callable[[], None] = lambda: None,
    ) -> None:
        """*on_forged* is told of each token presented that names a key of ours and was not signed with it."""
        self._keys = keys
        self.issuer = issuer
        self.lifetime = int(lifetime.total_seconds())
        self._now = now
        self._sessions = sessions
        self._revoked_tokens = revoked_tokens
        self._on_forged = on_forged
        self._verifying: tuple[int, KeySet] | None = None

    def issue(self, subject: Subject) -> str:
        """The compact JWS. 0.66 ms of CPU, nearly all of it the signature."""
        issued_at = int(self._now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": subject.sub,
            "aud": subject.audience or self.issuer,
            "client_id": subject.client_id,
            "iat": issued_at,
            "exp": issued_at + self.lifetime,
            "jti": secrets.token_urlsafe(16),
            "scope": subject.scope,
            "roles": list(subject.roles),
        }
        if subject.session_id is not None and subject.auth_time is not None:
            claims["sid"] = str(subject.session_id)
            claims["auth_time"] = int(subject.auth_time.timestamp())
        return self._keys.sign(orjson.dumps(claims), typ=TYPE)

    async def bearer(self, presented: str) -> UserToken:
        """
        A user's access token that was made for this server, with the live session behind it.

        Raises `InvalidToken` also when session or user ended meanwhile: here, unlike at a resource server, revocation
        counts at once. A client's own token (client_credentials) stands for no user and is refused.
        """
        live = await self.live(presented)
        if live.state is None:
            raise InvalidToken(reason="no session in the token")
        return UserToken(live.claims, live.state)

    async def live(self, presented: str, *, any_audience: bool = False) -> LiveToken:
        """
        The token, while neither it nor its session or user has ended. Raises as `bearer`.

        *any_audience*: also one for a resource server, which must not be taken as a key to anything here.
        """
        claims = self._verified(presented, any_audience=any_audience)
        if "sid" not in claims:
            if await self._revoked_tokens.holds(claims["jti"]):
                raise InvalidToken(reason="revoked")
            return LiveToken(claims, None)
        try:
            session_id = UUID(claims["sid"])
        except (ValueError, TypeError, AttributeError):
            raise InvalidToken(reason="no session in the token") from None
        state = await self._sessions.find(session_id, claims["jti"])
        if state is None or str(state.session.user_id) != claims["sub"]:
            raise InvalidToken(reason="unknown session, or revoked")
        if over := state.over(self._now()):
            raise InvalidToken(reason=over)
        return LiveToken(claims, state)

    def read(self, presented: str) -> dict[str, Any]:
        """The claims of a token of ours for any audience, which has not expired. Asks no store. Raises `InvalidToken`."""
        return self._verified(presented, any_audience=True)

    def _verified(self, presented: str, *, any_audience: bool = False) -> dict[str, Any]:
        """
        Its claims. Only our keys, only RS256, only this type, and every claim that we rely on must be there.

        joserfc checks neither `exp` nor a missing claim unless it is told to, and some malformed tokens leave it with
        errors that are not its own.
        """
        audience: ClaimsOption = {"essential": True}
        if not any_audience:
            audience["value"] = self.issuer
        try:
            token = jwt.decode(presented, self._key_set(), algorithms=[ALGORITHM])
            required = JWTClaimsRegistry(
                now=int(self._now().timestamp()),
                leeway=LEEWAY,
                iss={"essential": True, "value": self.issuer},
                aud=audience,
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            required.validate(token.claims)
        except BadSignatureError:
            self._on_forged()
            raise InvalidToken(reason="forged") from None
        except (JoseError, ValueError, UnicodeError, TypeError, KeyError, RecursionError) as fault:
            raise InvalidToken(reason=type(fault).__name__) from None
        # What we sign has these three and no other: nothing that names a key or asks to be understood.
        if token.header.keys() != HEADER or token.header["typ"] != TYPE or not isinstance(token.claims["sub"], str):
            raise InvalidToken(reason="not an access token")
        if not isinstance(jti := token.claims.get("jti"), str) or not JTI.fullmatch(jti):
            raise InvalidToken(reason="no token of ours has this jti")
        return token.claims

    def _key_set(self) -> KeySet:
        """Keys of ID tokens are not in it: no token that they sign opens anything."""
        version = self._keys.version
        if self._verifying is None or self._verifying[0] != version:
            published: list[dict[str, str | list[str]]] = [
                {**key} for key in self._keys.published() if key["alg"] == ALGORITHM
            ]
            self._verifying = (version, KeySet.import_key_set({"keys": published}))
        return self._verifying[1]
