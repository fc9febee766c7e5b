"""`/account/profile` and `/account/applications`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from quart import Blueprint, Response

from idp.controllers.accounts.account_page import AccountPages
from idp.controllers.pages.form_fields import checked
from idp.controllers.pages.hosted import page
from idp.controllers.pages.notices import Notice
from idp.domain.accounts.claim_rules import ADDRESS_RULES, RULES
from idp.domain.accounts.users import ProfileChange, User
from idp.domain.errors import NotFound, ValidationFailed
from idp.services.accounts import account_rules
from idp.services.accounts.profile import Profile
from idp.services.sign_in.own_applications import OwnApplications

NAME = {"name": account_rules.name}
# One field for the whole address would be a second way to say the same.
ADDRESS_FIELDS = {name: rule for name, rule in ADDRESS_RULES.items() if name != "formatted"}
FIELDS = {**RULES, **ADDRESS_FIELDS}


def profile_page_routes(pages: AccountPages, profile: Profile) -> Blueprint:
    routes = pages.blueprint("account-profile")

    @routes.get("/account/profile")
    @page("See one's profile")
    async def form() -> Response:
        visit, visitor = await pages.begin()
        user = visitor.user
        return pages.show(visit, visitor, "account_profile", name=user.name, claims=_texts(user))

    @routes.post("/account/profile")
    @page("Change one's profile")
    async def change() -> Response:
        visit, visitor = await pages.submitted()
        try:
            await profile.change(visitor.user.id, _change(visit.fields, visitor.user))
        except ValidationFailed as refusal:
            return pages.show(
                visit,
                visitor,
                "account_profile",
                name=visit.fields.get("name", ""),
                claims={name: visit.fields.get(name, "") for name in FIELDS},
                refusal=refusal,
            )
        return pages.done(visit, "/account/profile", Notice.PROFILE_SAVED)

    return routes


def application_routes(pages: AccountPages, applications: OwnApplications) -> Blueprint:
    routes = pages.blueprint("account-applications")

    @routes.get("/account/applications")
    @page("See which applications have access")
    async def listing() -> Response:
        visit, visitor = await pages.begin()
        found = await applications.list_of(visitor.user.id)
        logos = [application.logo_uri for application in found]
        return pages.show(visit, visitor, "account_applications", applications=found, images=logos)

    @routes.post("/account/applications")
    @page("Withdraw the access of an application; its sessions end")
    async def withdraw() -> Response:
        visit, visitor = await pages.submitted()
        with suppress(NotFound):  # withdrawn already, in another tab
            await applications.withdraw(visitor.user.id, visit.fields.get("client_id", ""))
        return pages.done(visit, "/account/applications", Notice.ACCESS_WITHDRAWN)

    return routes


def _texts(user: User) -> Mapping[str, str]:
    address = user.claims.get("address") or {}
    return {name: address.get(name) or user.claims.get(name) or "" for name in FIELDS}


def _change(fields: Mapping[str, str], user: User) -> ProfileChange:
    """
    Only what the form holds, so that a page of an own template with fewer fields takes nothing away. Raises `ValidationFailed`.
    """
    given = {name: rule for name, rule in FIELDS.items() if name in fields}
    filled = {name: rule for name, rule in given.items() if fields[name].strip()}
    found = checked(fields, NAME | filled)
    values = {field: found.get(field) for field in given}
    claims: dict[str, Any] = {claim: value for claim, value in values.items() if claim in RULES}
    parts = {part: value for part, value in values.items() if part in ADDRESS_FIELDS}
    if parts:
        before = user.claims.get("address") or {}
        address = {part: value for part, value in {**before, **parts}.items() if value and part != "formatted"}
        claims["address"] = address or None
    return ProfileChange(name=found["name"], claims=claims)
