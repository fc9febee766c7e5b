"""Sign-in on the hosted page: its sessions, consents, what clients and users say of themselves, tokens revoked one by one."""

from typing import Any

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

CONSTRAINTS = """
ALTER TABLE clients DROP CONSTRAINT clients_auth_method_known;
ALTER TABLE clients ADD CONSTRAINT clients_auth_method_known CHECK (auth_method IS NULL
    OR auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'));
ALTER TABLE clients ADD CONSTRAINT clients_application_type_known CHECK (application_type IN ('web', 'native'));
ALTER TABLE browser_sessions ADD CONSTRAINT browser_sessions_ended_for_a_reason
    CHECK ((ended_at IS NULL) = (ended_reason IS NULL));
CREATE INDEX browser_sessions_live_by_user ON browser_sessions (user_id, created_at DESC) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_by_browser_session ON sessions (browser_session_id)
    WHERE revoked_at IS NULL AND browser_session_id IS NOT NULL;
CREATE INDEX consents_by_client ON consents (client_id);
"""

BACK = """
DELETE FROM clients WHERE auth_method = 'private_key_jwt';
ALTER TABLE clients DROP CONSTRAINT clients_auth_method_known;
ALTER TABLE clients ADD CONSTRAINT clients_auth_method_known
    CHECK (auth_method IS NULL OR auth_method IN ('none', 'client_secret_basic', 'client_secret_post'));
ALTER TABLE clients DROP CONSTRAINT clients_application_type_known;
DROP INDEX sessions_live_by_browser_session;
"""


def owner(related_name: str) -> Any:
    return fields.ForeignKeyField(
        "idp.UserRow",
        source_field="user_id",
        db_constraint=True,
        to_field="id",
        related_name=related_name,
        on_delete=OnDelete.CASCADE,
    )


def texts(**options: Any) -> Any:
    return ArrayField(element_type="TEXT", **options)


def document(**options: Any) -> Any:
    return fields.JSONField(encoder=JSON_DUMPS, decoder=loads, **options)


CLIENT_FIELDS = {
    "audiences": texts(db_default=[]),
    "application_type": fields.CharField(max_length=8, db_default="web"),
    "require_pkce": fields.BooleanField(db_default=True),
    "first_party": fields.BooleanField(db_default=False),
    "post_logout_redirect_uris": texts(db_default=[]),
    "backchannel_logout_uri": fields.TextField(null=True),
    "backchannel_logout_session_required": fields.BooleanField(db_default=False),
    "id_token_signed_response_alg": fields.CharField(max_length=8, db_default="RS256"),
    "userinfo_signed_response_alg": fields.CharField(max_length=8, null=True),
    "token_endpoint_auth_signing_alg": fields.CharField(max_length=8, null=True),
    "jwks": document(null=True),
    "jwks_uri": fields.TextField(null=True),
    "default_max_age": fields.IntField(null=True),
    "require_auth_time": fields.BooleanField(db_default=False),
    "logo_uri": fields.TextField(null=True),
    "client_uri": fields.TextField(null=True),
    "policy_uri": fields.TextField(null=True),
    "tos_uri": fields.TextField(null=True),
    "contacts": texts(db_default=[]),
    "registration_digest": fields.CharField(max_length=64, null=True),
}


class Migration(migrations.Migration):
    dependencies = [("idp", "0002_accounts_limits_chain")]

    operations = [
        ops.AddField("UserRow", "claims", document(db_default="{}")),
        *(ops.AddField("ClientRow", name, field) for name, field in CLIENT_FIELDS.items()),
        ops.AddField("SessionRow", "browser_session_id", fields.UUIDField(null=True)),
        ops.AddField("SessionRow", "amr", texts(null=True)),
        ops.AddField("SessionRow", "requested_claims", document(null=True)),
        ops.CreateModel(
            name="BrowserSessionRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("token_digest", fields.CharField(unique=True, max_length=64)),
                ("user", owner("browser_sessions")),
                ("auth_time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("auth_epoch", fields.IntField()),
                ("amr", texts()),
                ("remembered", fields.BooleanField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("address", fields.CharField(null=True, max_length=64)),
                ("user_agent", fields.CharField(null=True, max_length=256)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_reason", fields.CharField(null=True, max_length=32)),
            ],
            options={"table": "browser_sessions", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ConsentRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("user", owner("consents")),
                ("client_id", fields.CharField(max_length=64)),
                ("scope", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consents",
                "app": "idp",
                "pk_attr": "id",
                "unique_together": (("user", "client_id"),),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RevokedTokenRow",
            fields=[
                ("jti", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("expires_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "revoked_tokens", "app": "idp", "pk_attr": "jti"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LogoutNoticeRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("client_id", fields.CharField(max_length=64)),
                ("user_id", fields.UUIDField()),
                ("session_id", fields.UUIDField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("attempts", fields.IntField(default=0)),
                ("next_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "logout_notices", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunSQL(CONSTRAINTS, reverse_sql=BACK),
    ]
