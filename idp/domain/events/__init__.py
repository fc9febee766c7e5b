"""
What the audit trail tells, as typed events.

An event has a stable name for who searches for it, says whom and what it concerns by id, and never holds a secret, a token,
a password or their digests. An event of a change is written in the transaction of that change, so both are there or neither.
"""

from __future__ import annotations

from idp.domain.events.accounts import (
    EmailChanged,
    EmailChangeRequested,
    EmailVerified,
    MailDropped,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    ProfileChanged,
    RegistrationOfKnownAddress,
    UserDeleted,
    UserRegistered,
)
from idp.domain.events.administration import (
    ClientChanged,
    KeyRotated,
    PasswordResetTriggered,
    RolesChanged,
    UserCreated,
    UserDisabled,
    UserEnabled,
    UserUpdated,
)
from idp.domain.events.event import (
    HIDDEN,
    Changes,
    Counted,
    Detail,
    Event,
    Events,
    Occurrence,
    Origin,
    Value,
    changes_between,
    origin,
)
from idp.domain.events.sessions import (
    AccountLocked,
    AccountUnlocked,
    DamagedPasswordHash,
    RefreshTokenOfAnotherClient,
    RefreshTokenReused,
    SessionRevoked,
    SignedIn,
    SignInFailed,
    TokensRefreshed,
)
from idp.domain.events.suspicion import (
    AccessDenied,
    ForgedTokenPresented,
    ManyAccountsFromOneAddress,
    ManyAddressesForOneAccount,
    PrivilegeEscalationSuspected,
    StaleRoleUsed,
)
from idp.domain.events.trail import (
    AuditDayClosed,
    AuditPruned,
)

__all__ = [
    "HIDDEN",
    "AccessDenied",
    "AccountLocked",
    "AccountUnlocked",
    "AuditDayClosed",
    "AuditPruned",
    "Changes",
    "ClientChanged",
    "Counted",
    "DamagedPasswordHash",
    "Detail",
    "EmailChangeRequested",
    "EmailChanged",
    "EmailVerified",
    "Event",
    "Events",
    "ForgedTokenPresented",
    "KeyRotated",
    "MailDropped",
    "ManyAccountsFromOneAddress",
    "ManyAddressesForOneAccount",
    "Occurrence",
    "Origin",
    "PasswordChanged",
    "PasswordReset",
    "PasswordResetRequested",
    "PasswordResetTriggered",
    "PrivilegeEscalationSuspected",
    "ProfileChanged",
    "RefreshTokenOfAnotherClient",
    "RefreshTokenReused",
    "RegistrationOfKnownAddress",
    "RolesChanged",
    "SessionRevoked",
    "SignInFailed",
    "SignedIn",
    "StaleRoleUsed",
    "TokensRefreshed",
    "UserCreated",
    "UserDeleted",
    "UserDisabled",
    "UserEnabled",
    "UserRegistered",
    "UserUpdated",
    "Value",
    "changes_between",
    "origin",
]
