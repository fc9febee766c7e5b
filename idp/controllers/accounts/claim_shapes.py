"""The standard claims in camelCase, as users and administrators give and see them (OpenID Connect Core, section 5.1)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from idp.controllers.http.shapes import Body, Shape
from idp.domain.accounts.claim_rules import ADDRESS_RULES, RULES
from idp.domain.accounts.users import User

SHOWN = (*RULES, "address", "phone_number_verified")


def _checked(rule: Any, **schema: Any) -> tuple[Any, Any]:
    """The rules say more than a schema can; what the schema has is there for who writes a client."""
    return AfterValidator(rule), WithJsonSchema({"type": "string", "minLength": 1} | schema)


GivenName = Annotated[str, *_checked(RULES["given_name"], maxLength=2000, description="At most 100 characters.")]
Gender = Annotated[str, *_checked(RULES["gender"], maxLength=2000, description="Any text of at most 50 characters.")]
Url = Annotated[str, *_checked(RULES["website"], maxLength=2000, format="uri", description="https or http.")]
Birthdate = Annotated[
    str, *_checked(RULES["birthdate"], maxLength=10, description="YYYY-MM-DD; YYYY alone; 0000-MM-DD without the year.")
]
Zone = Annotated[str, *_checked(RULES["zoneinfo"], maxLength=100, examples=["Europe/Paris"])]
Language = Annotated[str, *_checked(RULES["locale"], maxLength=35, examples=["fr-CA"])]
PhoneNumber = Annotated[str, *_checked(RULES["phone_number"], maxLength=40, description="E.164: +33123456789.")]
Lines = Annotated[
    str, *_checked(ADDRESS_RULES["formatted"], maxLength=2000, description="Lines, parted by line feeds.")
]
Street = Annotated[str, *_checked(ADDRESS_RULES["street_address"], maxLength=2000)]
Place = Annotated[str, *_checked(ADDRESS_RULES["locality"], maxLength=2000)]
PostalCode = Annotated[str, *_checked(ADDRESS_RULES["postal_code"], maxLength=2000)]


class GivenAddress(Body):
    """What is left out, or null, the address has not."""

    formatted: Lines | None = None
    street_address: Street | None = None
    locality: Place | None = None
    region: Place | None = None
    postal_code: PostalCode | None = None
    country: Place | None = None


class GivenClaims(Body):
    """What is left out stays as it is; null takes it away. An address is replaced as a whole."""

    given_name: GivenName | None = None
    family_name: GivenName | None = None
    middle_name: GivenName | None = None
    nickname: GivenName | None = None
    preferred_username: GivenName | None = None
    profile: Url | None = None
    picture: Url | None = None
    website: Url | None = None
    gender: Gender | None = None
    birthdate: Birthdate | None = None
    zoneinfo: Zone | None = None
    locale: Language | None = None
    phone_number: PhoneNumber | None = None
    address: GivenAddress | None = None

    @property
    def claims(self) -> dict[str, Any]:
        """Those that were sent, by their names as claims; None for what is to be taken away."""
        sent = {name: getattr(self, name) for name in (*RULES, "address") if name in self.model_fields_set}
        if self.address is not None:
            sent["address"] = self.address.model_dump(exclude_none=True) or None
        return sent


class ShownAddress(Shape):
    formatted: str | None = None
    street_address: str | None = None
    locality: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None


class ShownClaims(Shape):
    """Null: not told."""

    given_name: str | None
    family_name: str | None
    middle_name: str | None
    nickname: str | None
    preferred_username: str | None
    profile: str | None
    picture: str | None
    website: str | None
    gender: str | None
    birthdate: str | None
    zoneinfo: str | None
    locale: str | None
    phone_number: str | None
    phone_number_verified: bool
    address: ShownAddress | None

    @classmethod
    def members(cls, user: User) -> dict[str, Any]:
        """What a shape that tells of *user* has of these."""
        shown = {name: user.claims.get(name) for name in SHOWN}
        return shown | {"phone_number_verified": bool(shown["phone_number_verified"])}
