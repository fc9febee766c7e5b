"""Consents as JSON lines: which user has allowed which client what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from idp.domain.accounts.transfers import ConsentFate, ConsentImports
from idp.domain.accounts.user_imports import Entry, Rehearsal
from idp.domain.clients.client_rules import SCOPE_TOKEN
from idp.domain.clients.clients import CLIENT_ID, is_resource
from idp.domain.sign_in.consents import Consent
from idp.services.accounts.imports.client_lines import DIGEST
from idp.services.accounts.imports.members import Members
from idp.services.accounts.imports.tally import Tally

MEMBERS = tuple(field.name for field in fields(Consent))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentImport:
    imports: ConsentImports

    async def take(self, entries: Sequence[Entry], rehearsal: Rehearsal | None = None) -> Tally:
        """One step. With a *rehearsal*, which goes from step to step, nothing is written. Raises `StoreUnavailable`."""
        tally = Tally()
        good = tally.readable(entries, consent_of)
        fates = await self.imports.add_all([consent for _, consent in good], dry_run=rehearsal is not None)
        made = rehearsal if rehearsal is not None else Rehearsal()  # one of two that are alike in a step
        for (entry, consent), fate in zip(good, fates, strict=True):
            if fate in (ConsentFate.CREATED, ConsentFate.KNOWN):
                created = fate is ConsentFate.CREATED and made.is_first(consent.user_id, consent.client_id)
                tally.created += created
                tally.known += not created
            else:
                tally.refuse(entry, f"{fate}: import those first.")
        return tally.sorted()


def line_of(consent: Consent) -> dict[str, Any]:
    return {
        "user_id": str(consent.user_id),
        "client_id": consent.client_id,
        "scope": consent.scope,
        "resource_scopes": dict(consent.resource_scopes),
        "shown": consent.shown,
        "created_at": consent.created_at.isoformat(),
        "updated_at": consent.updated_at.isoformat(),
    }


def consent_of(value: object) -> Consent:
    """Raises `ValueError`. Lines of earlier releases have neither *resource_scopes* nor *shown*."""
    members = Members(value)
    members.require_known(MEMBERS)
    found = {
        "user_id": members.id("user_id"),
        "client_id": members.text("client_id"),
        "scope": members.text("scope"),
        "created_at": members.instant("created_at"),
        "updated_at": members.instant("updated_at"),
    }
    for name, value_of in found.items():
        if value_of is None:
            raise members.fault(name, "a consent needs one.")
    by_resource = _resource_scopes(members)
    if not _are_scopes(str(found["scope"])) and not (by_resource and found["scope"] == ""):
        raise members.fault("scope", "must be scopes, parted by spaces.")
    shown = members.text("shown")
    if shown is not None and not DIGEST.fullmatch(shown):
        raise members.fault("shown", "must be a SHA-256 in 64 hexadecimal digits.")
    if not CLIENT_ID.fullmatch(str(found["client_id"])):
        raise members.fault("client_id", "this is no id of a client.")
    return Consent(**found, resource_scopes=by_resource, shown=shown)  # type: ignore[arg-type]


def _resource_scopes(members: Members) -> dict[str, str]:
    found = members.document("resource_scopes") or {}
    for resource, scope in found.items():
        if not is_resource(resource) or not isinstance(scope, str) or not _are_scopes(scope):
            raise members.fault("resource_scopes", "must be scopes, parted by spaces, by absolute URIs.")
    return found


def _are_scopes(text: str) -> bool:
    scopes = text.split()
    return bool(scopes) and all(SCOPE_TOKEN.fullmatch(scope) for scope in scopes)
