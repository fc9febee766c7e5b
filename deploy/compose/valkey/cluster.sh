#!/bin/sh
# Joins the nodes given as HOST:PORT to a Valkey Cluster, each primary with one replica. Does nothing to one that is joined.
set -eu
: "${SECRETS:=/run/secrets}"
REDISCLI_AUTH=$(sed -n 's/^requirepass //p' "$SECRETS/valkey.conf")
export REDISCLI_AUTH

first=$1
if valkey-cli -h "${first%:*}" -p "${first#*:}" cluster info | grep -q '^cluster_state:ok'; then
    echo "The cluster is joined already."
    exit 0
fi

# Nodes meet by address and not by name.
addresses=
for node; do
    address=$(getent ahostsv4 "${node%:*}" | awk '{ print $1; exit }')
    addresses="$addresses $address:${node#*:}"
done
# shellcheck disable=SC2086 # a list of addresses
valkey-cli --cluster create $addresses --cluster-replicas 1 --cluster-yes
