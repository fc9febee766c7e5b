"""What is in the database: administrators, clients, the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import AdministratorFacts, Check, ClientFacts, Stores, TrailFacts, Verdict
from idp.domain.tokens.scopes import ACCOUNT, ADMIN

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
NAMED = 5  # so many clients are named, the others counted
SHORTEST_RETENTION = timedelta(days=90)
LATE = timedelta(days=2)  # the server prunes every hour, whole days only


async def examine_contents(stores: Stores, demo: Collection[str], retention: timedelta) -> list[Check]:
    """*demo*: ids of the clients that development makes for itself. *retention* is IDP_AUDIT_RETENTION."""
    try:
        administrators, clients = await stores.administrators(), await stores.clients()
        trail = await stores.trail()
    except StoreUnavailable as fault:
        finding = f"Its tables cannot be read ({fault})."
        return [Check(Item.ADMINISTRATORS, Verdict.FAILED, finding, "Run `idp db migrate`: it grants the rights.")]
    return [
        _administrators(administrators),
        _bootstrap_password(administrators),
        _demo(clients, demo),
        _addresses(clients),
        _pkce(clients),
        _password_grant(clients),
        _privileged(clients),
        _chain(trail),
        _retention(trail, retention),
    ]


def _administrators(facts: AdministratorFacts) -> Check:
    if not facts.active:
        remedy = "Run `idp users create --role ADMIN`, or start the server: it makes the first one."
        return Check(Item.ADMINISTRATORS, Verdict.WARNING, "There is no active administrator.", remedy)
    if facts.built_in_address:
        finding = "An administrator has the address that idp gives by default: its mails reach nobody."
        remedy = "Make one with an address of yours, then disable that one."
        return Check(Item.ADMINISTRATORS, Verdict.WARNING, finding, remedy)
    if facts.active == 1:
        remedy = "Make a second one, so that a lost password locks nobody out."
        return Check(Item.ADMINISTRATORS, Verdict.NOTE, "There is one active administrator.", remedy)
    return Check(Item.ADMINISTRATORS, Verdict.OK, f"There are {facts.active} active administrators.")


def _bootstrap_password(facts: AdministratorFacts) -> Check:
    if facts.bootstrap_password is None:
        return Check(Item.ADMIN_PASSWORD, Verdict.OK, "IDP_ADMIN_PASSWORD is not set.")
    if facts.bootstrap_password:
        finding = "The first administrator still signs in with IDP_ADMIN_PASSWORD, which stands in the environment."
        remedy = "Change the password on the account page, then remove the setting."
        return Check(Item.ADMIN_PASSWORD, Verdict.UNSAFE, finding, remedy)
    finding = "IDP_ADMIN_PASSWORD is set and no longer used."
    return Check(Item.ADMIN_PASSWORD, Verdict.NOTE, finding, "Remove it.")


def _demo(clients: Sequence[ClientFacts], demo: Collection[str]) -> Check:
    found = [client.client_id for client in clients if client.client_id in demo]
    if found:
        finding = f"Clients of the demo are registered: {_named(found)}."
        return Check(Item.DEMO_CLIENTS, Verdict.UNSAFE, finding, "Run `idp clients delete` for each.")
    return Check(Item.DEMO_CLIENTS, Verdict.OK, "No client of the demo is registered.")


def _addresses(clients: Sequence[ClientFacts]) -> Check:
    """An app on the user's machine listens on a loopback address (RFC 8252); a web client of production does not."""
    found = [client.client_id for client in clients if client.application_type == "web" and _development(client)]
    if found:
        finding = f"Clients with addresses in clear or on the user's own machine: {_named(found)}."
        remedy = "Register https addresses, or mark an app on the user's machine with `idp clients update --native`."
        return Check(Item.CLIENT_ADDRESSES, Verdict.WARNING, finding, remedy)
    return Check(Item.CLIENT_ADDRESSES, Verdict.OK, "Users are sent to https addresses, or to apps of their own.")


def _development(client: ClientFacts) -> bool:
    addresses = (*client.redirect_uris, *client.post_logout_redirect_uris, *client.origins)
    return any(_clear_or_local(address) for address in addresses)


def _clear_or_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" or parts.hostname in LOCAL_HOSTS


def _pkce(clients: Sequence[ClientFacts]) -> Check:
    coded = [client for client in clients if "authorization_code" in client.grant_types]
    found = [client.client_id for client in coded if not client.require_pkce]
    if found:
        finding = f"Clients that need no PKCE: {_named(found)}."
        remedy = "Run `idp clients update --pkce` for each that can (RFC 9700, section 2.1.1)."
        return Check(Item.CLIENT_PKCE, Verdict.WARNING, finding, remedy)
    return Check(Item.CLIENT_PKCE, Verdict.OK, "Every client that gets codes uses PKCE.")


def _password_grant(clients: Sequence[ClientFacts]) -> Check:
    """RFC 9700, section 2.4: the grant must not be used. A public client has not even proved who it is."""
    users = [client for client in clients if "password" in client.grant_types]
    public = [client.client_id for client in users if client.auth_method == "none"]
    remedy = "Move them to the authorization code flow; `idp clients update --grant` replaces the list."
    if public:
        finding = f"Public clients with the password grant: {_named(public)}."
        return Check(Item.PASSWORD_GRANT, Verdict.WARNING, finding, remedy)
    if users:
        finding = f"Clients with the password grant: {_named([client.client_id for client in users])}."
        return Check(Item.PASSWORD_GRANT, Verdict.NOTE, finding, remedy)
    return Check(Item.PASSWORD_GRANT, Verdict.OK, "No client is handed passwords.")


def _privileged(clients: Sequence[ClientFacts]) -> Check:
    """An administrator who signs in to one with `idp:admin` hands it the server; a public one anybody can pose as."""
    mighty = [client for client in clients if ADMIN in client.scope.split()]
    others = [client.client_id for client in clients if ACCOUNT in client.scope.split() and client not in mighty]
    remedy = "Take the scope from each that can do without: `idp clients update --scope` replaces it."
    if not mighty and not others:
        return Check(Item.PRIVILEGED_CLIENTS, Verdict.OK, "No client may act for users on /auth or /admin.")
    named = [(ADMIN, [client.client_id for client in mighty]), (ACCOUNT, others)]
    finding = "; ".join(f"Clients registered for {scope}: {_named(found)}" for scope, found in named if found)
    public = any(client.auth_method == "none" for client in mighty)
    return Check(Item.PRIVILEGED_CLIENTS, Verdict.WARNING if public else Verdict.NOTE, f"{finding}.", remedy)


def _chain(facts: TrailFacts) -> Check:
    if facts.state is not None:
        finding = f"The audit trail of its newest day is broken ({facts.state})."
        return Check(Item.AUDIT_TRAIL, Verdict.FAILED, finding, "Run `idp audit verify`; docs/incidents.md says more.")
    if not facts.finished:
        finding = "The newest day of the audit trail was too long to be verified here."
        return Check(Item.AUDIT_TRAIL, Verdict.NOTE, finding, "Run `idp audit verify`.")
    return Check(Item.AUDIT_TRAIL, Verdict.OK, f"The {facts.events} events of its newest day are whole.")


def _retention(facts: TrailFacts, configured: timedelta) -> Check:
    name = Item.AUDIT_RETENTION
    if facts.policy != configured:
        told = f"{facts.policy.days} days" if facts.policy else "for ever"
        finding = f"The database keeps events {told}, IDP_AUDIT_RETENTION says {configured.days} days."
        return Check(name, Verdict.WARNING, finding, "Run `idp db migrate`.")
    if facts.oldest > configured + LATE:
        finding = f"There are events of {facts.oldest.days} days ago, older than IDP_AUDIT_RETENTION."
        return Check(name, Verdict.WARNING, finding, "Run `idp audit prune`, and see why no server does.")
    if configured < SHORTEST_RETENTION:
        finding = f"Events are kept {configured.days} days: an intrusion is often found later."
        return Check(name, Verdict.NOTE, finding, "Set IDP_AUDIT_RETENTION=365d, or keep the log elsewhere.")
    return Check(name, Verdict.OK, f"Events are kept {configured.days} days.")


def _named(client_ids: Sequence[str]) -> str:
    more = len(client_ids) - NAMED
    return ", ".join(client_ids[:NAMED]) + (f" and {more} more" if more > 0 else "")
