#!/bin/sh
# Programs of Debian for the tests, unpacked into the checkout when the machine has none: see tests/debian_programs.py.
# So is libatomic, which the driver of Playwright wants and a bare Debian does not have.
# Nothing is installed: packages and package lists stay in .venv/debian. Where this cannot help, the tests skip and say so.
set -u

wanted="haproxy pgbouncer curl"
folder=$PWD/.venv/debian
PATH=$PATH:/usr/sbin:/sbin

lacking=
for name in $wanted; do
	if ! command -v "$name" >/dev/null 2>&1 && [ ! -x "$folder/usr/sbin/$name" ] && [ ! -x "$folder/usr/bin/$name" ]; then
		lacking="$lacking $name"
	fi
done
if ! ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1' && [ -z "$(find "$folder" -name 'libatomic.so.1' 2>/dev/null)" ]; then
	lacking="$lacking libatomic1"
fi
if [ -z "$lacking" ]; then exit 0; fi

# An ordinary user may do all of this, since the lists are our own.
ours() {
	command=$1
	shift
	"$command" -qq -o Dir::State="$folder/apt/state" -o Dir::State::status=/var/lib/dpkg/status \
		-o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::http::Timeout=20 "$@"
}

installed() {
	[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What the package needs of libraries, through all levels.
libraries() {
	ours apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" |
		sed -n 's/^\(lib[a-z0-9.+-]*\)$/\1/p' | sort -u
}

unpacked() {
	packages=$1
	for library in $(libraries "$1"); do
		if ! installed "$library"; then packages="$packages $library"; fi
	done
	rm -rf "$folder/packages"
	mkdir -p "$folder/packages"
	for package in $packages; do
		(cd "$folder/packages" && ours apt-get download "$package" >/dev/null) || return 1
	done
	for file in "$folder"/packages/*.deb; do dpkg -x "$file" "$folder" || return 1; done
}

if command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1; then
	echo "Unpacking Debian's$lacking into .venv/debian for the tests…"
	mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
	ours apt-get update
	failed=
	for name in $lacking; do unpacked "$name" || failed="$failed $name"; done
	rm -rf "$folder/packages" "$folder/apt"
	if [ -z "$failed" ]; then exit 0; fi
	lacking=$failed
fi

cat >&2 <<MESSAGE
****************************************************************************
*  NOT HERE:$lacking. THE TESTS THAT NEED THEM ARE SKIPPED.
*  Debian: sudo apt-get install$lacking
*  elsewhere: install them so that they are on PATH
****************************************************************************
MESSAGE
