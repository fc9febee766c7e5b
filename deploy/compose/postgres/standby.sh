#!/bin/sh
# A streaming standby of $PRIMARY: copies it into an empty $PGDATA, then follows it.
set -eu
: "${SECRETS:=/run/secrets}" "${PRIMARY:=postgres}" "${PRIMARY_PORT:=5432}" "${SLOT:=idp_replica}"

PGPASSWORD=$(cat "$SECRETS/idp_replication_password")
export PGPASSWORD
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    # Left over from a copy that was cut short.
    find "$PGDATA" -mindepth 1 -delete
    chmod 0700 "$PGDATA"
    # Only the first copy makes the slot; one made anew takes it over.
    common="--host=$PRIMARY --port=$PRIMARY_PORT --username=idp_replication --no-password --pgdata=$PGDATA
        --write-recovery-conf --wal-method=stream --checkpoint=fast --slot=$SLOT"
    # shellcheck disable=SC2086 # a list of options
    pg_basebackup $common --create-slot || {
        find "$PGDATA" -mindepth 1 -delete
        # shellcheck disable=SC2086
        pg_basebackup $common
    }
fi
unset PGPASSWORD # the copy has it in its own settings
exec postgres "$@"
