"""
What a client that registers itself asks for, and what of it is registered (RFC 7591, sections 2 and 3.2.1).

Clients send one registration to every server: grants, response types and scopes that only some of them know, empty texts and
lists where they have nothing to say. What this door does not give is left out, and the answer holds what was registered. It
is refused when nothing usable is left, or when the client could not work with less: its redirect URIs, keys and algorithms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from idp.domain.clients.client_rules import PAGES
from idp.domain.clients.clients import Client
from idp.domain.clients.redirect_uris import is_loopback, parts_of, short_scheme
from idp.domain.errors import FieldError, ValidationFailed
from idp.domain.tokens.scopes import SUPPORTED, wire

GRANT_TYPES = ("authorization_code", "refresh_token")
RESPONSE_TYPES = ("code",)
SUBJECT_TYPE = "public"
# Where a field of `Client` has another name in a registration.
NAMES = {"name": "client_name", "auth_method": "token_endpoint_auth_method"}
# What the operator decides, or this server.
KEPT = frozenset(
    {"client_id", "secrets", "registration_digest", "created_at", "updated_at", "enabled"}
    | {"first_party", "origins", "resources", "audiences", "id_token_claims"}
)
# Name in a registration → field of `Client`, of all that a client says of itself.
METADATA = {NAMES.get(one.name, one.name): one.name for one in fields(Client) if one.name not in KEPT}
# What is registered where a client says nothing (RFC 7591, section 2); elsewhere it is the default of the field.
DEFAULTS: Mapping[str, Any] = {"auth_method": "client_secret_basic", "grant_types": GRANT_TYPES[:1]}
PLAIN: Mapping[str, Any] = {
    one.name: one.default for one in fields(Client) if one.name in METADATA.values() and one.name != "name"
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPolicy:
    """
    What the operator allows beyond what every client may have.

    *schemes*: of apps, without a dot. *scopes*: those of resource servers. *resources*: audiences that the tokens of each new
    client may have. *require_pkce*: of confidential clients that do not say.
    """

    schemes: Sequence[str] = ()
    scopes: Sequence[str] = ()
    resources: Sequence[str] = ()
    require_pkce: bool = True

    def properties(self, client_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of `Client` that *metadata*, by the names of RFC 7591, stands for. Raises `ValidationFailed`."""
        given = {name: value for name, value in metadata.items() if name in METADATA and _says_something(value)}
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        given |= {name: None for name in PAGES if _is_http(given.get(name))}
        found = {**PLAIN, **DEFAULTS, "name": client_id, **{METADATA[name]: value for name, value in given.items()}}
        found["grant_types"] = _kept(found["grant_types"], GRANT_TYPES)
        found["scope"] = wire(_kept(given.get("scope", wire(self._scopes)).split(), self._scopes))
        found["application_type"] = given.get("application_type") or _application_type(found["redirect_uris"])
        found["require_pkce"] = given.get("require_pkce", self.require_pkce or found["auth_method"] == "none")
        if faults := [*_faults(metadata, found), *self._scheme_faults(found)]:
            raise ValidationFailed(faults)
        return found

    @property
    def _scopes(self) -> tuple[str, ...]:
        return (*SUPPORTED, *self.scopes)

    def _scheme_faults(self, found: Mapping[str, Any]) -> list[FieldError]:
        """A scheme without a dot is anybody's: it is taken of apps that the operator knows, or that listen on loopback too."""
        if any(is_loopback(uri) for uri in found["redirect_uris"]):
            return []
        why = (
            "the operator has not allowed the scheme (IDP_REGISTRATION_SCHEMES); register a loopback address beside it"
        )
        return [
            FieldError(name, f"{uri[:100]}: {why}")
            for name in ("redirect_uris", "post_logout_redirect_uris")
            for uri in found[name]
            if short_scheme(uri) not in (None, *self.schemes)
        ]


def metadata_of(client: Client) -> dict[str, Any]:
    """All that is registered, by the names of RFC 7591; what is not is left out."""
    told = {name: getattr(client, field) for name, field in METADATA.items()}
    told |= {"response_types": RESPONSE_TYPES, "subject_type": SUBJECT_TYPE}
    return {name: value for name, value in told.items() if value is not None}


def _faults(metadata: Mapping[str, Any], found: Mapping[str, Any]) -> list[FieldError]:
    """What this door refuses beyond the rules for every client."""
    faults = []
    if "authorization_code" not in found["grant_types"]:
        faults.append(FieldError("grant_types", "authorization_code must be among them; refresh_token may be"))
    if not _kept(metadata.get("response_types") or RESPONSE_TYPES, RESPONSE_TYPES):
        faults.append(FieldError("response_types", "code must be among them"))
    if (metadata.get("subject_type") or SUBJECT_TYPE) != SUBJECT_TYPE:
        faults.append(FieldError("subject_type", f"{SUBJECT_TYPE} only"))
    if not found["scope"]:
        faults.append(FieldError("scope", "none of these is known here; leave it out to get those that are"))
    return faults


def _kept(asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Of *asked* each that is *known*, once."""
    return tuple(dict.fromkeys(one for one in asked if one in known))


def _says_something(value: Any) -> bool:
    """An empty text or list is what a client sends that has nothing to say (RFC 7591, section 2, has no meaning for them)."""
    return value is not None and value not in ("", [])


def _is_http(uri: str | None) -> bool:
    """A page for users on http, away from this machine: nothing depends on it, so it is left out."""
    parts = parts_of(uri or "")
    return parts is not None and parts.scheme == "http" and not is_loopback(uri or "")


def _application_type(redirect_uris: Sequence[str]) -> str:
    """An app on the user's machine seldom says that it is one; its redirect URIs do (RFC 8252, section 7)."""
    schemes = [parts.scheme for uri in redirect_uris if (parts := parts_of(uri)) is not None]
    on_the_machine = any(map(is_loopback, redirect_uris)) or any(one not in ("http", "https") for one in schemes)
    return "native" if on_the_machine else "web"
