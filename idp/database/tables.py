"""
The tables. Everything that Tortoise drops in silence when it makes a table (checks, partial and functional indexes) stands as
SQL in `migrations/`, and a test compares the catalogue of a migrated database with what is expected.
"""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.models import Model

from idp.domain.clients.clients import LONGEST_CLIENT_ID

LONGEST_CANONICAL = 512  # of an e-mail address


class UserRow(Model):
    id = fields.UUIDField(primary_key=True)
    email = fields.TextField()
    email_norm = fields.CharField(max_length=LONGEST_CANONICAL, unique=True)
    name = fields.TextField()
    password_hash = fields.TextField(null=True)
    roles: Any = ArrayField(element_type="text")
    status = fields.CharField(max_length=16, default="active")
    email_verified = fields.BooleanField(default=False)
    auth_epoch = fields.IntField(default=0)
    # The standard claims that have no column of their own (OpenID Connect Core, section 5.1).
    claims: Any = fields.JSONField(db_default="{}")
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "users"


class ClientRow(Model):
    client_id = fields.CharField(max_length=LONGEST_CLIENT_ID, primary_key=True)
    name = fields.TextField()
    auth_method = fields.CharField(max_length=32, null=True)
    secrets: Any = fields.JSONField()
    grant_types: Any = ArrayField(element_type="text")
    redirect_uris: Any = ArrayField(element_type="text")
    scope = fields.TextField()
    origins: Any = ArrayField(element_type="text")
    resources: Any = ArrayField(element_type="text")
    audiences: Any = ArrayField(element_type="text", db_default=[])
    application_type = fields.CharField(max_length=8, db_default="web")
    require_pkce = fields.BooleanField(db_default=True)
    first_party = fields.BooleanField(db_default=False)
    post_logout_redirect_uris: Any = ArrayField(element_type="text", db_default=[])
    backchannel_logout_uri = fields.TextField(null=True)
    backchannel_logout_session_required = fields.BooleanField(db_default=False)
    id_token_signed_response_alg = fields.CharField(max_length=8, db_default="RS256")
    id_token_claims = fields.BooleanField(db_default=False)
    userinfo_signed_response_alg = fields.CharField(max_length=8, null=True)
    token_endpoint_auth_signing_alg = fields.CharField(max_length=8, null=True)
    jwks: Any = fields.JSONField(null=True)
    jwks_uri = fields.TextField(null=True)
    default_max_age = fields.IntField(null=True)
    require_auth_time = fields.BooleanField(db_default=False)
    initiate_login_uri = fields.TextField(null=True)
    logo_uri = fields.TextField(null=True)
    client_uri = fields.TextField(null=True)
    policy_uri = fields.TextField(null=True)
    tos_uri = fields.TextField(null=True)
    contacts: Any = ArrayField(element_type="text", db_default=[])
    registration_digest = fields.CharField(max_length=64, null=True)
    enabled = fields.BooleanField(default=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "clients"


# family_id is apart from id: who knows the one from a token or a list cannot name the other.
class SessionRow(Model):
    id = fields.UUIDField(primary_key=True)
    family_id = fields.UUIDField(unique=True)
    user: Any = fields.ForeignKeyField("idp.UserRow", related_name="sessions", on_delete=OnDelete.CASCADE)
    client_id = fields.CharField(max_length=LONGEST_CLIENT_ID)
    scope = fields.TextField()
    audience = fields.TextField(null=True)
    auth_time = fields.DatetimeField()
    auth_epoch = fields.IntField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    gen_floor = fields.IntField(default=0)
    floor_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    revoked_reason = fields.CharField(max_length=32, null=True)
    # Where the user signed in and where the session was last used; the latter is written now and then, not at each refresh.
    address = fields.CharField(max_length=64, null=True)
    user_agent = fields.CharField(max_length=256, null=True)
    last_used_at = fields.DatetimeField(null=True)
    last_address = fields.CharField(max_length=64, null=True)
    # Of a session that began on the hosted page: the sign-in that it hangs on, how the user proved who it is, and which
    # claims the client asked for by name.
    browser_session_id = fields.UUIDField(null=True)
    amr: Any = ArrayField(element_type="text", null=True)
    requested_claims: Any = fields.JSONField(null=True)

    class Meta:
        table = "sessions"


# A sign-in on the hosted page, known to the browser by a cookie of which only the digest is kept.
class BrowserSessionRow(Model):
    id = fields.UUIDField(primary_key=True)
    token_digest = fields.CharField(max_length=64, unique=True)
    user: Any = fields.ForeignKeyField("idp.UserRow", related_name="browser_sessions", on_delete=OnDelete.CASCADE)
    auth_time = fields.DatetimeField()
    auth_epoch = fields.IntField()
    amr: Any = ArrayField(element_type="text")
    remembered = fields.BooleanField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    last_used_at = fields.DatetimeField()
    address = fields.CharField(max_length=64, null=True)
    user_agent = fields.CharField(max_length=256, null=True)
    ended_at = fields.DatetimeField(null=True)
    ended_reason = fields.CharField(max_length=32, null=True)

    class Meta:
        table = "browser_sessions"


# What a user has allowed a client.
class ConsentRow(Model):
    id = fields.UUIDField(primary_key=True)
    user: Any = fields.ForeignKeyField("idp.UserRow", related_name="consents", on_delete=OnDelete.CASCADE)
    client_id = fields.CharField(max_length=LONGEST_CLIENT_ID)
    scope = fields.TextField()
    # By resource (RFC 8707); and a digest of what was shown of a client that registered itself.
    resource_scopes: Any = fields.JSONField(db_default="{}")
    shown = fields.CharField(max_length=64, null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "consents"
        unique_together = (("user", "client_id"),)


# Access tokens that were revoked before they expire, by their `jti`.
class RevokedTokenRow(Model):
    jti = fields.CharField(max_length=64, primary_key=True)
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "revoked_tokens"


# Clients to tell that a session has ended (OpenID Connect Back-Channel Logout 1.0); gone once they were told.
class LogoutNoticeRow(Model):
    id = fields.UUIDField(primary_key=True)
    client_id = fields.CharField(max_length=LONGEST_CLIENT_ID)
    user_id = fields.UUIDField()
    session_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    attempts = fields.IntField(default=0)
    next_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "logout_notices"


# No foreign keys: the trail outlives whom it tells of. The runtime role may only insert and read.
class EventRow(Model):
    id = fields.UUIDField(primary_key=True)
    at = fields.DatetimeField(db_index=True)
    name = fields.CharField(max_length=64)
    severity = fields.CharField(max_length=8)
    user_id = fields.UUIDField(null=True)
    client_id = fields.CharField(max_length=LONGEST_CLIENT_ID, null=True)
    session_id = fields.UUIDField(null=True)
    actor = fields.TextField(null=True)
    address = fields.CharField(max_length=64, null=True)
    request_id = fields.CharField(max_length=64, null=True)
    detail: Any = fields.JSONField()
    # Set by a trigger: the place in the chain of a day, and the digest that ties the row to the one before.
    day = fields.DateField()
    seq = fields.BigIntField()
    digest = fields.BinaryField()

    class Meta:
        table = "events"
        schema = "audit"


# The last place of each day's chain, so that rows missing at its end are seen too.
class ChainHeadRow(Model):
    day = fields.DateField(primary_key=True)
    seq = fields.BigIntField()
    digest = fields.BinaryField()

    class Meta:
        table = "heads"
        schema = "audit"


# One row, written by the owner: how long events are kept. The runtime role can prune no younger ones.
class AuditPolicyRow(Model):
    id = fields.IntField(primary_key=True)
    retention_seconds = fields.BigIntField()

    class Meta:
        table = "policy"
        schema = "audit"


# Mails to send. What a mail says is made when it is sent: no link to reset a password ever lies here.
class MailRow(Model):
    id = fields.UUIDField(primary_key=True)
    kind = fields.CharField(max_length=32)
    recipient = fields.TextField()
    recipient_norm = fields.CharField(max_length=LONGEST_CANONICAL)
    user_id = fields.UUIDField(null=True)
    params: Any = fields.JSONField()
    created_at = fields.DatetimeField()
    attempts = fields.IntField(default=0)
    next_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)
    dropped_at = fields.DatetimeField(null=True)

    class Meta:
        table = "mails"


# Tokens sent by mail, as digests.
class MailTokenRow(Model):
    digest = fields.CharField(max_length=64, primary_key=True)
    purpose = fields.CharField(max_length=16)
    user: Any = fields.ForeignKeyField("idp.UserRow", related_name="mail_tokens", on_delete=OnDelete.CASCADE)
    email = fields.TextField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "mail_tokens"


# Failed sign-ins of one identifier, known or not, or of one device of a user; the key is an HMAC.
class SignInFailuresRow(Model):
    key = fields.CharField(max_length=64, primary_key=True)
    user_id = fields.UUIDField(null=True)
    failures = fields.IntField()
    pending = fields.IntField()
    pending_at = fields.DatetimeField(null=True)
    failed_at = fields.DatetimeField(null=True)
    blocked_until = fields.DatetimeField(null=True)
    touched_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "sign_in_failures"
