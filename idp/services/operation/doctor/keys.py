"""The folder of signing keys, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, KeyFacts, Verdict
from idp.domain.operation.signing_keys import KeyState, SigningKey

OLDEST_KEY = timedelta(days=365)
# A JWKS of so many RSA keys has about 3 kB; every resource server reads it.
MOST_PUBLISHED = 8


def examine_keys(facts: KeyFacts, now: datetime) -> Iterator[Check]:
    if facts.fault is not None:
        yield Check(Item.KEYS, Verdict.FAILED, facts.fault)
        return
    if facts.mode is None or facts.made_at is None:
        yield Check(
            Item.KEYS, Verdict.WARNING, "There is no signing key yet.", "Run `idp keys rotate`, or start the server."
        )
        return
    yield _folder(facts.mode)
    yield _age(now - facts.made_at)
    yield _size(facts)
    yield _old(facts.keys)


def _folder(mode: int) -> Check:
    if mode & 0o022:
        finding = f"Other users can put keys into the folder (mode {mode:04o})."
        return Check(Item.KEYS, Verdict.FAILED, finding, "Run chmod 700 on IDP_KEYS_DIR.")
    if mode & 0o055:
        finding = f"Other users can list the folder (mode {mode:04o})."
        return Check(Item.KEYS, Verdict.NOTE, finding, "Run chmod 700 on IDP_KEYS_DIR; the keys themselves are closed.")
    return Check(Item.KEYS, Verdict.OK, "Only its owner can see the folder and put keys into it.")


def _age(age: timedelta) -> Check:
    if age > OLDEST_KEY:
        return Check(
            Item.SIGNING_KEY, Verdict.WARNING, f"The active key is {age.days} days old.", "Run `idp keys rotate`."
        )
    return Check(Item.SIGNING_KEY, Verdict.OK, f"The active key is {max(age.days, 0)} days old.")


def _size(facts: KeyFacts) -> Check:
    signs = [key.bits for key in facts.keys if key.state is KeyState.ACTIVE and key.algorithm in ("RS256", "PS256")]
    shortest = min(signs, default=facts.configured_bits)
    if shortest < facts.configured_bits:
        finding = f"An RSA key of {shortest} bits signs, IDP_KEY_BITS says {facts.configured_bits}."
        return Check(Item.KEY_SIZE, Verdict.NOTE, finding, "Run `idp keys rotate`: the next one has that size.")
    return Check(Item.KEY_SIZE, Verdict.OK, f"RSA keys that sign have {shortest} bits or more.")


def _old(keys: Sequence[SigningKey]) -> Check:
    published = sum(key.state.published for key in keys)
    withdrawn = sum(key.state is KeyState.WITHDRAWN for key in keys)
    finding = f"{published} published, {withdrawn} withdrawn as compromised."
    if published > MOST_PUBLISHED:
        remedy = "Rotate less often: each key stays until its last token has expired."
        return Check(Item.OLD_KEYS, Verdict.NOTE, finding, remedy)
    return Check(Item.OLD_KEYS, Verdict.OK, finding)
