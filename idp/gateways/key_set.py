"""What the signing keys of a folder amount to at one instant: who signs, what is published, what is trusted for hints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import orjson

from idp.domain.operation.signing_keys import KeySchedule, SigningKey
from idp.gateways.key_file_format import StoredKey
from idp.gateways.private_keys import PrivateKey, base64url

EVER = datetime.max.replace(tzinfo=UTC)


class Signer:
    """One key, with the encoded JWS header of each `typ`."""

    def __init__(self, kid: str, private: PrivateKey) -> None:
        self._kid = kid
        self._algorithm = private.algorithm
        self._sign = private.sign
        self._headers: dict[str, bytes] = {}

    def sign(self, payload: bytes, typ: str) -> str:
        signed = (self._headers.get(typ) or self._header(typ)) + base64url(payload)
        return (signed + b"." + base64url(self._sign(signed))).decode("ascii")

    def _header(self, typ: str) -> bytes:
        header = base64url(orjson.dumps({"alg": self._algorithm, "typ": typ, "kid": self._kid})) + b"."
        self._headers[typ] = header
        return header


@dataclass(frozen=True, slots=True)
class KeySet:
    """
    What holds from *since* until *until*, and what `SigningKeys.version` is meanwhile. *signers* are by algorithm; *published*
    and *trusted_for_hints* are public JWKs.
    """

    since: datetime = EVER
    until: datetime = EVER
    signers: Mapping[str, Signer] = field(default_factory=dict)
    keys: tuple[SigningKey, ...] = ()
    published: tuple[Mapping[str, str], ...] = ()
    trusted_for_hints: tuple[Mapping[str, str], ...] = ()
    version: int = 0

    def followed_by(self, stored: Mapping[str, StoredKey], schedule: KeySchedule, now: datetime) -> Self:
        keys = tuple(schedule.keys(now))
        published = tuple(stored[key.kid].public for key in keys if key.state.published)
        signing = [(key, stored[key.kid].private) for key in schedule.signers(now)]
        return type(self)(
            since=now,
            until=schedule.next_change(now) or EVER,
            signers={key.algorithm: Signer(key.kid, private) for key, private in signing if private is not None},
            keys=keys,
            published=published,
            trusted_for_hints=tuple(stored[kid].public for kid in schedule.trusted_for_hints(now)),
            version=self.version + (published != self.published),
        )
