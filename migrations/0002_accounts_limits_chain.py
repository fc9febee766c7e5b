"""Mails and their tokens, failed sign-ins, where sessions are used, and a chain through the audit trail."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

TABLES = """
ALTER TABLE mail_tokens ADD CONSTRAINT mail_tokens_purpose_known
    CHECK (purpose IN ('reset', 'verify', 'change', 'invitation'));
ALTER TABLE sign_in_failures ADD CONSTRAINT sign_in_failures_counted CHECK (failures >= 0 AND pending >= 0);
ALTER TABLE audit.policy ADD CONSTRAINT policy_is_one CHECK (id = 1 AND retention_seconds > 0);
CREATE INDEX mails_waiting ON mails (next_at) WHERE sent_at IS NULL AND dropped_at IS NULL;
CREATE INDEX mails_by_recipient ON mails (recipient_norm, kind, created_at DESC);
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, purpose) WHERE used_at IS NULL;
CREATE INDEX sign_in_failures_by_user ON sign_in_failures (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX users_by_age ON users (created_at DESC, id DESC);
CREATE INDEX sessions_by_age ON sessions (created_at DESC, id DESC);
CREATE INDEX sessions_live_until ON sessions (expires_at) WHERE revoked_at IS NULL;
CREATE INDEX users_disabled ON users (id) WHERE status = 'disabled';
CREATE INDEX events_sign_ins ON audit.events (user_id, at DESC) WHERE name = 'signed_in';
CREATE INDEX events_by_actor ON audit.events (actor, at DESC) WHERE actor IS NOT NULL;
CREATE INDEX events_of_note ON audit.events (severity, at DESC) WHERE severity <> 'info';
CREATE INDEX events_by_address ON audit.events (address, at DESC) WHERE address IS NOT NULL;
"""

# What the digest of a row covers: every column, in a text that does not depend on any setting of the session.
CANONICAL = """
CREATE FUNCTION audit.canonical(e audit.events) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_array(
        e.day, e.seq, e.id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), e.name, e.severity,
        e.user_id, e.client_id, e.session_id, e.actor, e.address, e.request_id, e.detail
    )::text
$$;
"""

# The lock on the head makes one chain of what many processes write; it is held until the writer commits.
CHAIN = """
CREATE FUNCTION audit.chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE head audit.heads%ROWTYPE;
BEGIN
    NEW.day := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    SELECT * INTO head FROM audit.heads WHERE day = NEW.day FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit.heads (day, seq, digest) VALUES (NEW.day, 0, sha256(convert_to(NEW.day::text, 'UTF8')))
        ON CONFLICT (day) DO NOTHING;
        SELECT * INTO head FROM audit.heads WHERE day = NEW.day FOR UPDATE;
    END IF;
    -- A row that ON CONFLICT skips would have moved the head all the same, and leave a gap that nobody made.
    IF EXISTS (SELECT FROM audit.events WHERE id = NEW.id) THEN
        RAISE unique_violation USING MESSAGE = 'an event has that id already';
    END IF;
    NEW.seq := head.seq + 1;
    NEW.digest := sha256(head.digest || convert_to(audit.canonical(NEW), 'UTF8'));
    UPDATE audit.heads SET seq = NEW.seq, digest = NEW.digest WHERE day = NEW.day;
    RETURN NEW;
END
$$;
"""

# Events of before this step enter the chain of the day on which it runs, in their order.
OLD_EVENTS = """
CREATE TEMP TABLE old_events ON COMMIT DROP AS SELECT * FROM audit.events;
DELETE FROM audit.events;
CREATE TRIGGER chain BEFORE INSERT ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.chain();
INSERT INTO audit.events SELECT * FROM old_events ORDER BY at, id;
ALTER TABLE audit.events ADD CONSTRAINT events_place UNIQUE (day, seq);
"""

# The oldest day, whole, if it is older than the owner's policy says: the runtime role may call it, and can delete nothing
# else. One day a call, so that each is a transaction of its own.
PRUNE = """
CREATE FUNCTION audit.prune() RETURNS TABLE (pruned_day date, events bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT day INTO pruned_day FROM audit.heads, audit.policy
    WHERE (day + 1)::timestamp <= (clock_timestamp() AT TIME ZONE 'UTC') - make_interval(secs => retention_seconds)
    ORDER BY day LIMIT 1 FOR UPDATE OF heads;
    IF NOT FOUND THEN RETURN; END IF;
    DELETE FROM audit.events WHERE day = pruned_day;
    GET DIAGNOSTICS events = ROW_COUNT;
    DELETE FROM audit.heads WHERE day = pruned_day;
    RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION audit.prune() FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.chain() FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.canonical(audit.events) FROM PUBLIC;
"""

BACK = """
DROP FUNCTION audit.prune();
DROP TRIGGER chain ON audit.events;
DROP FUNCTION audit.chain();
DROP FUNCTION audit.canonical(audit.events);
ALTER TABLE audit.events DROP CONSTRAINT events_place;
DROP INDEX audit.events_by_actor;
DROP INDEX audit.events_of_note;
DROP INDEX audit.events_by_address;
DROP INDEX users_by_age;
DROP INDEX sessions_by_age;
DROP INDEX sessions_live_until;
DROP INDEX users_disabled;
DROP INDEX audit.events_sign_ins;
"""


class Migration(migrations.Migration):
    dependencies = [("idp", "0001_initial")]

    operations = [
        ops.AddField("SessionRow", "address", fields.CharField(null=True, max_length=64)),
        ops.AddField("SessionRow", "user_agent", fields.CharField(null=True, max_length=256)),
        ops.AddField("SessionRow", "last_used_at", fields.DatetimeField(null=True)),
        ops.AddField("SessionRow", "last_address", fields.CharField(null=True, max_length=64)),
        ops.AddField("EventRow", "day", fields.DateField(null=True)),
        ops.AddField("EventRow", "seq", fields.BigIntField(null=True)),
        ops.AddField("EventRow", "digest", fields.BinaryField(null=True)),
        ops.CreateModel(
            name="ChainHeadRow",
            fields=[
                ("day", fields.DateField(primary_key=True, unique=True, db_index=True)),
                ("seq", fields.BigIntField()),
                ("digest", fields.BinaryField()),
            ],
            options={"table": "heads", "schema": "audit", "app": "idp", "pk_attr": "day"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditPolicyRow",
            fields=[
                ("id", fields.IntField(primary_key=True, unique=True, db_index=True)),
                ("retention_seconds", fields.BigIntField()),
            ],
            options={"table": "policy", "schema": "audit", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=32)),
                ("recipient", fields.TextField()),
                ("recipient_norm", fields.CharField(max_length=512)),
                ("user_id", fields.UUIDField(null=True)),
                ("params", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("attempts", fields.IntField(default=0)),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("dropped_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "mails", "app": "idp", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailTokenRow",
            fields=[
                ("digest", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("purpose", fields.CharField(max_length=16)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "idp.UserRow",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="mail_tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("email", fields.TextField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "mail_tokens", "app": "idp", "pk_attr": "digest"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SignInFailuresRow",
            fields=[
                ("key", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("user_id", fields.UUIDField(null=True)),
                ("failures", fields.IntField()),
                ("pending", fields.IntField()),
                ("pending_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("failed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("blocked_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("touched_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "sign_in_failures", "app": "idp", "pk_attr": "key"},
            bases=["Model"],
        ),
        ops.RunSQL(TABLES + CANONICAL + CHAIN + OLD_EVENTS + PRUNE, reverse_sql=BACK),
        ops.AlterField("EventRow", "day", fields.DateField()),
        ops.AlterField("EventRow", "seq", fields.BigIntField()),
        ops.AlterField("EventRow", "digest", fields.BinaryField()),
    ]
