#!/bin/sh
# Makes the secrets that compose.yml names, each in a file of its own:  sudo sh deploy/compose/secrets.sh [FOLDER]
#
# What exists stays as it is, so it may be run again; remove one file to have it made anew. Every file has mode 0400 and
# belongs to the user of the container that reads it, which takes root. FOLDER is deploy/compose/secrets.
set -eu
folder=${1:-$(dirname "$0")/secrets}

# The users of the containers: idp's of the Dockerfile, the others as their images have them.
idp=10001
stores=999
proxy=99
prometheus=65534
grafana=472

umask 077
mkdir -p "$folder"
chmod 0755 "$folder" # each file is closed; the folder need not be

random() {
    openssl rand -hex 32
}

# make NAME OWNER: standard input becomes the file NAME, unless there is one.
make() {
    file=$folder/$1
    if [ -s "$file" ]; then
        cat >/dev/null
    else
        cat >"$file.new"
        mv "$file.new" "$file"
    fi
    chmod 0400 "$file"
    if [ "$(id -u)" = 0 ]; then
        chown "$2:$2" "$file"
    fi
}

# the NAME: what the file NAME holds.
the() {
    cat "$folder/$1"
}

random | make secret $idp
random | make metrics_token $idp
random | make postgres_password $stores
random | make idp_app_password $stores
random | make idp_migrate_password $stores
random | make idp_replication_password $stores
random | make valkey_password $stores
random | make valkey_idp_password $stores
random | make grafana_password $grafana
printf 'Aa1-%s' "$(openssl rand -hex 12)" | make admin_password $idp

# The same again in the form in which others want it. They follow from the files above; remove both to change one.
the metrics_token | make prometheus_token $prometheus
echo "postgresql://idp_app:$(the idp_app_password)@postgres:5432/idp" | make database_url $idp
echo "postgresql://idp_migrate:$(the idp_migrate_password)@postgres:5432/idp" | make migration_database_url $idp
echo "postgresql://idp_app:$(the idp_app_password)@postgres-replica:5432/idp" | make database_replica_urls $idp
valkey_idp=idp:$(the valkey_idp_password)
echo "redis://$valkey_idp@valkey:6379/0" | make redis_url $idp
cluster=valkey-1:6379,valkey-2:6379,valkey-3:6379,valkey-4:6379,valkey-5:6379,valkey-6:6379
echo "redis+cluster://$valkey_idp@$cluster" | make redis_cluster_url $idp
make valkey.conf $stores <<CONF
requirepass $(the valkey_password)
primaryauth $(the valkey_password)
# All keys are idp's here, whatever the next release calls them. What administers the server is not: docs/valkey.md has less.
user idp on >$(the valkey_idp_password) resetchannels ~* +@all -@admin -@dangerous +info +cluster|info +cluster|slots +cluster|shards +cluster|nodes
CONF

# A certificate for a trial. Put that of your own name here instead: certificates and key in one PEM file.
if [ ! -s "$folder/tls.pem" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$folder/tls.key.new" -out "$folder/tls.crt.new" 2>/dev/null
    cat "$folder/tls.crt.new" "$folder/tls.key.new" | make tls.pem $proxy
    rm -f "$folder/tls.crt.new" "$folder/tls.key.new"
else
    make tls.pem $proxy </dev/null
fi

if [ "$(id -u)" != 0 ]; then
    echo "The files in $folder belong to you; the containers run as other users and cannot read them." >&2
    echo "Run this again as root: it keeps what is there and hands each file to the user that needs it." >&2
    exit 1
fi
