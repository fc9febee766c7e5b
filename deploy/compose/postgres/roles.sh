#!/bin/sh
# Roles and rights of the database idp (docs/production.md), once, when Postgres makes its data folder.
#
# The passwords are in files below $SECRETS. psql reads them itself: they are in no argument, and since statements that
# fail are not logged here, in no log.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
: "${POSTGRES_DB:=idp}" "${POSTGRES_USER:=postgres}"
: "${OWNER:=idp_owner}" "${MIGRATE:=idp_migrate}" "${RUNTIME:=idp_app}" "${REPLICATION:=idp_replication}"

psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set database="$POSTGRES_DB" --set owner="$OWNER" --set migrate="$MIGRATE" \
    --set runtime="$RUNTIME" --set replication="$REPLICATION" <<'SQL'
SET log_min_error_statement = panic;
SET log_statement = none;
\set migrate_password `cat "$SECRETS/idp_migrate_password"`
\set runtime_password `cat "$SECRETS/idp_app_password"`
\set replication_password `cat "$SECRETS/idp_replication_password"`

CREATE ROLE :"owner" NOLOGIN;
CREATE ROLE :"migrate" LOGIN PASSWORD :'migrate_password' IN ROLE :"owner";
ALTER ROLE :"migrate" SET role = :"owner";
CREATE ROLE :"runtime" LOGIN PASSWORD :'runtime_password';
ALTER ROLE :"runtime" SET statement_timeout = '5s';
ALTER ROLE :"runtime" SET lock_timeout = '2s';
ALTER ROLE :"runtime" SET idle_in_transaction_session_timeout = '10s';
CREATE ROLE :"replication" LOGIN REPLICATION PASSWORD :'replication_password';

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"migrate", :"runtime";
GRANT CREATE, TEMPORARY ON DATABASE :"database" TO :"owner";
ALTER SCHEMA public OWNER TO :"owner";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"runtime";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"runtime";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO :"runtime";
SQL

# The standby of the profile `replica` streams as this role; the image lets it into databases only.
if [ -n "${PGDATA:-}" ]; then
    echo "host replication $REPLICATION all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
