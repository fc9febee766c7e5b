"""What looks like an attack, alone or as one of many."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.audit.events.event import Counted, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Event):
    """
    A signed-in user asked for what needs a role, or a client that may not act for users here presented a user's token: an
    attempt to get more rights, or a mistake of a client.
    """

    name = "access_denied"
    severity = "warning"
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRoleUsed(Event):
    """The token says ADMIN, the user no longer is one: an old token in use, or in other hands."""

    name = "stale_role_used"
    severity = "warning"
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedTokenPresented(Counted):
    """Access tokens that name a key of this server and were not signed with it, within a minute."""

    name = "forged_token_presented"
    severity = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAccountsFromOneAddress(Event):
    """Failed sign-ins from one address for *identifiers* different ones: passwords tried across accounts."""

    name = "many_accounts_from_one_address"
    severity = "error"
    identifiers: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAddressesForOneAccount(Event):
    """Failed sign-ins for one *identifier* from *addresses* different ones: a distributed attack on one account."""

    name = "many_addresses_for_one_account"
    severity = "error"
    identifier: str
    addresses: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeEscalationSuspected(Event):
    """One user was refused again and again what needs a role."""

    name = "privilege_escalation_suspected"
    severity = "error"
    attempts: int
