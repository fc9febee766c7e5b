#!/bin/sh
# `make test` on a bare Debian: nothing is there but Python, make, git and certificates, so a test that needs more shows.
# See docs/testing.md.
#
#   sudo sh tests/deploy/bare_debian.sh [--user NAME] [--keep FOLDER] [COMMAND…]
#
# Makes a Debian with debootstrap in FOLDER (or in a temporary folder, which goes afterwards), clones what is committed here
# below the home of root, which no other account can enter, or with --user of an ordinary user, and runs COMMAND there
# (`make test`) in namespaces of its own: mounts, processes. Afterwards it names the processes and files that were left.
set -eu

user=root folder='' keep=''
while [ $# -gt 0 ]; do
	case $1 in
	--user) user=$2 && shift 2 ;;
	--keep) folder=$2 keep=yes && shift 2 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || set -- make test

checkout=$(git rev-parse --show-toplevel)
[ "$(id -u)" = 0 ] || { echo "Run it as root: it mounts and changes its root." >&2 && exit 2; }
command -v debootstrap >/dev/null || { echo "There is no debootstrap here: apt-get install debootstrap" >&2 && exit 2; }

if [ -z "$folder" ]; then folder=$(mktemp -d /var/tmp/idp-bare-XXXXXX); fi
if [ -z "$keep" ]; then trap 'rm -rf --one-file-system "$folder"' EXIT; fi
root=$folder/root
mkdir -p "$folder"

# The machine's own release and mirror; MIRROR names another one.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[.*\] \)\?\([^ ]*\) .*/\2/p' | grep -m 1 '/debian/\?$'
}

if [ ! -e "$root/.made" ]; then
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates \
		"$release" "$root" "${MIRROR:-$(mirror)}" >"$folder/debootstrap.log" || { tail "$folder/debootstrap.log" >&2; exit 1; }
	: >"$root/.made"
fi

# How this machine reaches its package registries: names, certificates and pip's own settings.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
	if [ -e "$file" ]; then cp -L "$file" "$root$file"; fi
done

if [ "$user" = root ]; then home=/root; else
	home=/home/$user
	chroot "$root" id "$user" >/dev/null 2>&1 || chroot "$root" useradd --create-home --shell /bin/sh "$user"
fi
chmod 700 "$root$home"
rm -rf "${root:?}$home/idp" "${root:?}/tmp/"* "${root:?}/var/tmp/"*
git clone --quiet --no-hardlinks "$checkout" "$root$home/idp"
chroot "$root" chown -R "$user:" "$home/idp"
touch "$root/.begun"

cat >"$root/.inside" <<'INSIDE'
# As process 1 of its own, with the root of the bare machine.
user=$1 home=$2 status=0
shift 2
cd /
setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups \
	env HOME="$home" USER="$user" LOGNAME="$user" sh -c 'cd ~/idp && exec "$@"' sh "$@" || status=$?
echo "Processes that were left:"
for process in /proc/[0-9]*; do
	if [ "${process#/proc/}" != 1 ]; then tr '\0' ' ' <"$process/cmdline" 2>/dev/null | cut -c 1-160; fi
done
echo "Files that were left outside of the checkout:"
find / -xdev \( -path "$home/idp" -o -path /usr -o -path /etc -o -path /var/lib -o -path /var/cache -o -path /var/log -o -path /run \) -prune \
	-o -type f -newer /.begun ! -path /.inside -print | head -n 40
exit $status
INSIDE

# shellcheck disable=SC2016  # the inner shell expands it
# In a namespace of mounts, which end with it, and one of processes. Of the environment stays what leads to the registries.
env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
	${CI:+CI="$CI"} ${PIP_CERT:+PIP_CERT="$PIP_CERT"} ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
	${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
	unshare --mount --propagation private --pid --fork --kill-child sh -c '
		root=$1 && shift
		mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 shm "$root/dev/shm" &&
			exec chroot "$root" sh /.inside "$@"
	' sh "$root" "$user" "$home" "$@"
