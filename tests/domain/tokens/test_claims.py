"""Which claims which scope shares (OpenID Connect Core, sections 5.4 and 5.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from idp.domain.accounts.claim_rules import RULES
from idp.domain.accounts.users import Role, User, UserStatus, changed_claims
from idp.domain.tokens import scopes
from idp.domain.tokens.claims import SCOPE_CLAIMS, SUPPORTED, claims_for

CHANGED = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ADA = User(
    id=uuid4(),
    email="ada@example.com",
    name="Ada",
    roles=(Role.USER,),
    status=UserStatus.ACTIVE,
    email_verified=True,
    auth_epoch=0,
    created_at=CHANGED,
    updated_at=CHANGED,
    claims={"given_name": "Ada", "phone_number": "+442079460000", "address": {"country": "GB"}},
)


@pytest.mark.parametrize(
    ("granted", "told"),
    [
        ((), {}),
        (("openid", "offline_access", "unknown"), {}),
        (("profile",), {"name": "Ada", "given_name": "Ada", "updated_at": int(CHANGED.timestamp())}),
        (("email",), {"email": "ada@example.com", "email_verified": True}),
        (("phone",), {"phone_number": "+442079460000", "phone_number_verified": False}),
        (("address",), {"address": {"country": "GB"}}),
    ],
)
def test_a_scope_shares_its_claims_and_what_the_user_has_not_is_left_out(
    granted: tuple[str, ...], told: dict[str, object]
) -> None:
    """UI3."""
    assert claims_for(ADA, granted) == told


def test_a_claim_may_be_asked_for_by_name() -> None:
    requested = {"given_name": None, "email": {"essential": True}, "nickname": None, "sub": None, "roles": None}

    assert claims_for(ADA, ["openid"], requested) == {"given_name": "Ada", "email": "ada@example.com"}


def test_who_has_no_number_has_none_that_is_verified() -> None:
    nobody = replace(ADA, claims={"nickname": "", "address": {}})

    assert set(claims_for(nobody, SCOPE_CLAIMS)) == {"name", "updated_at", "email", "email_verified"}


def test_another_number_is_unverified() -> None:
    verified = {"phone_number": "+441", "phone_number_verified": True, "locale": "en"}

    assert changed_claims(verified, {"phone_number": "+441"}) == verified
    assert changed_claims(verified, {"phone_number": "+442"}) == {"phone_number": "+442", "locale": "en"}
    assert changed_claims(verified, {"phone_number": None}) == {"locale": "en"}
    assert changed_claims(verified, {"phone_number": "+442", "phone_number_verified": True})["phone_number_verified"]


def test_every_claim_with_a_rule_belongs_to_a_scope_that_is_supported() -> None:
    assert RULES.keys() <= set(SUPPORTED)
    assert SCOPE_CLAIMS.keys() < set(scopes.SUPPORTED)
