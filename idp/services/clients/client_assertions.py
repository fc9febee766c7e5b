"""
private_key_jwt: a client proves itself by a JWT that it has signed (RFC 7523; OpenID Connect Core, section 9).

Only what its own registration names decides: the keys, and the algorithm if it names one. What the JWT's header offers
beyond that (a key, an address of one, extensions) refuses the whole. An assertion is for this server, for five minutes at
most, and for one use; every failure looks like that of a wrong secret.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from idp.domain.clients.assertions import UsedAssertions
from idp.domain.clients.client_keys import KEY_TYPES, Jwk, keys_for
from idp.domain.clients.clients import PRIVATE_KEY_JWT, Client
from idp.services.clients.client_authentication import AuthlibClient, ClientRefused
from idp.services.clients.client_keys import ClientKeys
from idp.services.clients.signatures import Algorithms
from idp.services.tokens.authlib_bridge import hook
from idp.services.tokens.token_request import TokenRequest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFETIME = timedelta(minutes=5)
CLOCKS_DIFFER = timedelta(seconds=10)
LONGEST_ASSERTION = 8 * 1024
LONGEST_JTI = 255
TOO_LONG = f"The client assertion lives too long: its exp may be at most {LONGEST_LIFETIME.seconds} seconds ahead."
# Keys and certificates from whoever signed, extensions, another way to sign: none of them is anything a client needs.
REFUSED_IN_HEADER = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})
# What of a key makes it one; the rest was looked at by `keys_for`.
MATERIAL = ("kty", "n", "e", "crv", "x", "y")


@dataclass(frozen=True, slots=True)
class Assertion:
    """What was presented, its signature not yet looked at."""

    text: str
    algorithm: str
    kid: str | None
    unverified_claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAssertions:
    """*audiences*: what this server is called in an assertion, its issuer and its token endpoint."""

    keys: ClientKeys
    used: UsedAssertions
    audiences: frozenset[str]
    now: Callable[[], datetime]

    def authenticate(self, query_client: Callable[[str], AuthlibClient | None], request: TokenRequest) -> AuthlibClient:
        """A method of client authentication, as Authlib calls one. Raises `ClientRefused`, `Unavailable`."""
        form = request.form
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise ClientRefused
        assertion = parsed(form.get("client_assertion", ""))
        claimed = assertion.unverified_claims.get("sub")
        if not isinstance(claimed, str) or form.get("client_id", claimed) != claimed:
            raise ClientRefused
        client = query_client(claimed)
        if client is None or client.client.auth_method != PRIVATE_KEY_JWT:
            raise ClientRefused
        self._prove(client.client, assertion)
        return client

    @hook
    async def _prove(self, client: Client, assertion: Assertion) -> None:
        """Raises `ClientRefused` unless *client* has signed *assertion* for this server, now and for the first time."""
        if client.token_endpoint_auth_signing_alg not in (None, assertion.algorithm):
            raise ClientRefused
        keys = keys_for(await self.keys.of(client, assertion.kid), assertion.algorithm, assertion.kid)
        if not any(_signed(assertion, key) for key in keys):
            raise ClientRefused
        jti, expires_at = self._checked(client, assertion.unverified_claims)
        if not await self.used.spend(client.client_id, jti, expires_at):
            raise ClientRefused

    def _checked(self, client: Client, claims: Mapping[str, Any]) -> tuple[str, datetime]:
        """The assertion's `jti` and end."""
        now, jti, audience = self.now().timestamp(), claims.get("jti"), claims.get("aud")
        expires_at, leeway = _number(claims.get("exp")), CLOCKS_DIFFER.total_seconds()
        longest = now + LONGEST_LIFETIME.total_seconds() + leeway
        begun = all(_number(claims[name]) <= now + leeway for name in ("iat", "nbf") if name in claims)
        sole = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
        right = (
            claims.get("iss") == client.client_id
            and isinstance(sole, str)
            and sole in self.audiences
            and begun
            and now < expires_at
        )
        if not right or not isinstance(jti, str) or not 1 <= len(jti) <= LONGEST_JTI or not _encodable(jti):
            raise ClientRefused
        if expires_at > longest:
            raise ClientRefused(TOO_LONG)  # its signature holds, so the client's own maker reads this
        return jti, datetime.fromtimestamp(expires_at, UTC)


def parsed(text: str) -> Assertion:
    """Raises `ClientRefused` for what is no JWT that this server would verify."""
    parts = text.split(".")
    if len(text) > LONGEST_ASSERTION or len(parts) != 3:
        raise ClientRefused
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, kid = header.get("alg"), header.get("kid")
    known = isinstance(algorithm, str) and algorithm in KEY_TYPES
    if not known or REFUSED_IN_HEADER & header.keys() or not isinstance(header.get("kid", ""), str):
        raise ClientRefused
    return Assertion(text, str(algorithm), kid, claims)


def _object(part: str) -> dict[str, Any]:
    try:
        octets = base64.b64decode(part.encode() + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
        found = json.loads(octets.decode())
    except (binascii.Error, ValueError, RecursionError):
        raise ClientRefused from None
    if not isinstance(found, dict):
        raise ClientRefused
    return found


def _signed(assertion: Assertion, key: Jwk) -> bool:
    try:
        material = import_key({name: key[name] for name in MATERIAL if name in key})
        registry = Algorithms(algorithms=[assertion.algorithm], strict_check_header=False)
        jws.deserialize_compact(assertion.text, material, registry=registry)
    except (JoseError, ValueError, TypeError):
        return False
    return True


def _number(value: Any) -> float:
    """NaN, which is neither before nor after anything, for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
