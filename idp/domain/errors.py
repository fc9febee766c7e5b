"""
Everything this server refuses, in one tree.

    Refusal                        status, `error` code and `detail` go to the caller
      ValidationFailed        400  names the fields
      Malformed               400  the request cannot be read at all
      InvalidCredentials      401  never says which half was wrong
      InvalidToken            401  access or refresh token: unknown, expired, revoked
      Forbidden               403  known, but not allowed; audited
      EmailNotVerified        403  the password is right; told only to who has proved it
      InsufficientScope       403  the token is for something else (RFC 6750)
      NotFound                404
      MethodNotAllowed        405
      RequestTimeout          408  the body did not arrive
      Conflict                409
      PreconditionFailed      412  If-Match names another version
      PayloadTooLarge         413
      UnsupportedMediaType    415
      TooMany                 429  retry_after
        RateLimited                too many calls of this category
        TooManyAttempts            too many wrong passwords for this address, known or not
      HeadersTooLarge         431
      Unavailable             503  retry_after; whether anything was done is not always known, so no text says so
        StoreUnavailable           Postgres or Redis did not answer, or the outcome is unknown
        PasswordsBusy              more passwords to check than bcrypt can do before the deadline
    InvalidKeyFile                 start-up only: a signing key that must not be used

Errors of `/oauth2/*` are Authlib's; a controller there turns a `Refusal` into the RFC's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """*detail* is sent. *reason* goes to the log only, where "no such user" and "wrong password" may differ."""

    status = 400
    error = "bad_request"
    title = "Bad request"
    detail = "The request cannot be served."

    def __init__(self, detail: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(reason or detail or self.detail)
        self.detail = detail or self.detail
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the request and what to change about it. *field* has the name that the caller used."""

    field: str
    message: str


class ValidationFailed(Refusal):
    status, error, title = 400, "validation_failed", "Validation failed"
    detail = "One or more fields need another value."

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class Malformed(Refusal):
    status, error, title = 400, "validation_failed", "Malformed request"
    detail = "The request cannot be read."


class InvalidCredentials(Refusal):
    status, error, title = 401, "invalid_credentials", "Invalid credentials"
    detail = "The e-mail address or the password is wrong."


class InvalidToken(Refusal):
    status, error, title = 401, "invalid_token", "Invalid token"
    detail = "The token is missing, expired, revoked or not meant for this server."


class Forbidden(Refusal):
    status, error, title = 403, "forbidden", "Forbidden"
    detail = "This account may not do that."


class EmailNotVerified(Refusal):
    status, error, title = 403, "email_not_verified", "E-mail address not verified"
    detail = (
        "The e-mail address of this account is not verified yet. Follow the link in the latest mail that was sent to it, "
        "then sign in again."
    )


class InsufficientScope(Refusal):
    status, error, title = 403, "insufficient_scope", "Insufficient scope"
    detail = "The token is not that of a user who granted the scope openid."


class NotFound(Refusal):
    status, error, title = 404, "not_found", "Not found"
    detail = "There is nothing here."


class MethodNotAllowed(Refusal):
    status, error, title = 405, "method_not_allowed", "Method not allowed"
    detail = "This path does not take that method."

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


class RequestTimeout(Refusal):
    status, error, title = 408, "request_timeout", "Request timeout"
    detail = "The body did not arrive in time."


class Conflict(Refusal):
    status, error, title = 409, "conflict", "Conflict"
    detail = "It exists already, or has changed meanwhile."


class PreconditionFailed(Refusal):
    status, error, title = 412, "precondition_failed", "Precondition failed"
    detail = "It has changed since you read it: read it again."


class PayloadTooLarge(Refusal):
    status, error, title = 413, "payload_too_large", "Payload too large"
    detail = "The body is larger than this server reads."


class UnsupportedMediaType(Refusal):
    status, error, title = 415, "unsupported_media_type", "Unsupported media type"
    detail = "Send the body as application/json."


class TooMany(Refusal):
    """*retry_after*: whole seconds after which the same call may succeed."""

    status, error, title = 429, "rate_limited", "Too many requests"
    detail = "Too many requests: wait, then try again."

    def __init__(self, retry_after: int, *, reason: str | None = None) -> None:
        super().__init__(reason=reason)
        self.retry_after = max(1, retry_after)


class RateLimited(TooMany):
    pass


class TooManyAttempts(TooMany):
    error, title = "too_many_attempts", "Too many attempts"
    detail = "Too many attempts to sign in: wait, then try again."


class HeadersTooLarge(Refusal):
    status, error, title = 431, "headers_too_large", "Headers too large"
    detail = "The headers are larger than this server reads."


class Unavailable(Refusal):
    status, error, title = 503, "unavailable", "Unavailable"
    detail = "The server cannot answer this now. Try again."
    retry_after = 1


class StoreUnavailable(Unavailable):
    """A store did not answer in time, or what it did is unknown. Never to be told to a client as a refusal of its token."""


class PasswordsBusy(Unavailable):
    retry_after = 2


class InvalidKeyFile(Exception):
    """A signing key file that is damaged, too short, or readable by others. The text names the file and the remedy."""
