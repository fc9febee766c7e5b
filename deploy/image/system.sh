#!/bin/sh
# Prepares the file system ROOT for a server that runs as the user 10001:  system.sh ROOT
#
# The user has no shell and owns two folders: keys, which is to be a volume, and data. pip, which nobody needs any more
# and an intruder might, goes.
set -eu
root=${1%/}
id=10001

echo "idp:x:$id:" >>"$root/etc/group"
echo "idp:x:$id:$id:idp:/var/lib/idp:/usr/sbin/nologin" >>"$root/etc/passwd"
mkdir -p "$root/var/lib/idp"
for folder in data keys; do
    mkdir -m 0700 "$root/var/lib/idp/$folder"
    if [ "$(id -u)" = 0 ]; then
        chown "$id:$id" "$root/var/lib/idp/$folder"
    fi
done
rm -rf "$root"/usr/local/lib/python3.*/site-packages/pip "$root"/usr/local/lib/python3.*/site-packages/pip-*.dist-info \
    "$root"/usr/local/lib/python3.*/ensurepip "$root"/usr/local/bin/pip*
