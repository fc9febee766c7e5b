"""Users, clients, sessions, and the audit trail in a schema of its own."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

CONSTRAINTS = """
ALTER TABLE users ADD CONSTRAINT users_status_known CHECK (status IN ('active', 'disabled'));
ALTER TABLE users ADD CONSTRAINT users_roles_known CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['USER', 'ADMIN']::text[]);
ALTER TABLE users ADD CONSTRAINT users_epoch_grows CHECK (auth_epoch >= 0);
ALTER TABLE clients ADD CONSTRAINT clients_auth_method_known
    CHECK (auth_method IS NULL OR auth_method IN ('none', 'client_secret_basic', 'client_secret_post'));
ALTER TABLE sessions ADD CONSTRAINT sessions_end_after_start CHECK (expires_at > created_at);
ALTER TABLE sessions ADD CONSTRAINT sessions_floor_grows CHECK (gen_floor >= 0);
ALTER TABLE sessions ADD CONSTRAINT sessions_revoked_for_a_reason CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL));
CREATE INDEX sessions_live_by_user ON sessions (user_id, created_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX sessions_live_by_client ON sessions (client_id) WHERE revoked_at IS NULL;
CREATE INDEX users_administrators ON users (id) WHERE roles @> ARRAY['ADMIN']::text[];
CREATE INDEX events_by_name ON audit.events (name, at DESC);
CREATE INDEX events_by_user ON audit.events (user_id, at DESC) WHERE user_id IS NOT NULL;
"""

# Going back drops the tables, and everything above with them.
NOTHING = "SELECT 1"


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateSchema(schema_name="audit"),
        ops.CreateModel(
            name="ClientRow",
            fields=[
                ("client_id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("name", fields.TextField(unique=False)),
                ("auth_method", fields.CharField(null=True, max_length=32)),
                ("secrets", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("grant_types", ArrayField(element_type="TEXT")),
                ("redirect_uris", ArrayField(element_type="TEXT")),
                ("scope", fields.TextField(unique=False)),
                ("origins", ArrayField(element_type="TEXT")),
                ("resources", ArrayField(element_type="TEXT")),
                ("enabled", fields.BooleanField(default=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={"table": "clients", "app": "idp", "pk_attr": "client_id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="EventRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ("name", fields.CharField(max_length=64)),
                ("severity", fields.CharField(max_length=8)),
                ("user_id", fields.UUIDField(null=True)),
                ("client_id", fields.CharField(null=True, max_length=64)),
                ("session_id", fields.UUIDField(null=True)),
                ("actor", fields.TextField(null=True, unique=False)),
                ("address", fields.CharField(null=True, max_length=64)),
                ("request_id", fields.CharField(null=True, max_length=64)),
                ("detail", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={"table": "events", "schema": "audit", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UserRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("email", fields.TextField(unique=False)),
                ("email_norm", fields.CharField(unique=True, max_length=512)),
                ("name", fields.TextField(unique=False)),
                ("password_hash", fields.TextField(null=True, unique=False)),
                ("roles", ArrayField(element_type="TEXT")),
                ("status", fields.CharField(default="active", max_length=16)),
                ("email_verified", fields.BooleanField(default=False)),
                ("auth_epoch", fields.IntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={"table": "users", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SessionRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("family_id", fields.UUIDField(unique=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "idp.UserRow",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("client_id", fields.CharField(max_length=64)),
                ("scope", fields.TextField(unique=False)),
                ("audience", fields.TextField(null=True, unique=False)),
                ("auth_time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("auth_epoch", fields.IntField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ("gen_floor", fields.IntField(default=0)),
                ("floor_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_reason", fields.CharField(null=True, max_length=32)),
            ],
            options={"table": "sessions", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunSQL(CONSTRAINTS, reverse_sql=NOTHING),
    ]
