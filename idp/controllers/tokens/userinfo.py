"""
`GET` and `POST /oauth2/userinfo` (OpenID Connect Core, section 5.3): plain ASGI, refusals as RFC 6750, section 3, has them.

The token comes in the Authorization header or, posted, as `access_token` in the form; never in the query, which logs keep.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from idp.controllers.http.access import bearer_of
from idp.controllers.http.answers import HttpAnswer, json_answer
from idp.controllers.http.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from idp.domain.errors import InsufficientScope, InvalidToken, Malformed, MethodNotAllowed, Refusal
from idp.domain.operation.limits import Category
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.tokens.userinfo import UserInfo

PATH = "/oauth2/userinfo"
PARAMETER = "access_token"
NO_STORE = (b"cache-control", b"no-store")

# Refusal → its code (section 3.1).
CODES: dict[type[Refusal], str] = {
    Malformed: "invalid_request",
    InvalidToken: "invalid_token",
    InsufficientScope: "insufficient_scope",
}


class UserInfoEndpoint:
    access = "user"

    def __init__(self, userinfo: UserInfo, limiter: RateLimiter) -> None:
        self._userinfo = userinfo
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        if exchange.method not in ("GET", "POST"):
            raise MethodNotAllowed(["GET", "POST", "OPTIONS"])
        await (await self._answer(exchange)).send(send)

    async def _answer(self, exchange: Exchange) -> HttpAnswer:
        try:
            claims = await self._userinfo.of(_presented(exchange))
        except (Malformed, InvalidToken, InsufficientScope) as refusal:
            # Per address only what fails: a backend asks for all of its users from one.
            await self._limiter.take(Category.API, exchange.address)
            return _refused(refusal, told=_has_token(exchange))
        if isinstance(claims, str):
            return HttpAnswer(200, claims.encode(), [(b"content-type", b"application/jwt"), NO_STORE])
        return json_answer(200, claims, [NO_STORE])


def _presented(exchange: Exchange) -> str:
    """The one token. Raises `Malformed` for two, or one in the query, `InvalidToken` for none."""
    posted = _posted(exchange)
    if PARAMETER in _names(exchange.query):
        raise Malformed("Send the access token in the Authorization header: a query ends up in logs.")
    if len(posted) > 1 or (posted and b"authorization" in exchange.headers):
        raise Malformed("Send one access token, in one way.")
    return posted[0] if posted else bearer_of(exchange)


def _posted(exchange: Exchange) -> list[str]:
    return [value for name, value in exchange.form if name == PARAMETER]


def _names(query: bytes) -> set[str]:
    return {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}


def _has_token(exchange: Exchange) -> bool:
    return bool(_posted(exchange)) or b"authorization" in exchange.headers or PARAMETER in _names(exchange.query)


def _refused(refusal: Refusal, *, told: bool) -> HttpAnswer:
    """Who presented nothing is not told of a fault in it (section 3.1): only how to authenticate."""
    code = CODES[type(refusal)]
    challenge = f'Bearer realm="idp", error="{code}"' if told else 'Bearer realm="idp"'
    if isinstance(refusal, InsufficientScope):
        challenge += ', scope="openid"'
    headers = [(b"www-authenticate", challenge.encode()), NO_STORE]
    return json_answer(refusal.status, {"error": code, "error_description": refusal.detail}, headers)
