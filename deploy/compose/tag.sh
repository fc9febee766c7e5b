#!/bin/sh
# Remembers which release runs, so that `docker compose up` by hand starts that one:  tag.sh TAG [FILE]
#
# FILE is the `.env` that Compose reads, beside compose.yml; its other lines stay.
set -eu
tag=$1
file=${2:-$(dirname "$0")/../../.env}

touch "$file"
grep -v '^TAG=' "$file" >"$file.new" || true
echo "TAG=$tag" >>"$file.new"
mv "$file.new" "$file"
