#!/bin/sh
# Chromium for the browser tests: Debian's, if there is none and this may install it. Otherwise says what to do; the tests skip.
set -u

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
	if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	echo "Installing Debian's Chromium for the browser tests…"
	if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; then exit 0; fi
fi

cat >&2 <<'MESSAGE'
****************************************************************************
*  NO CHROMIUM HERE: THE BROWSER TESTS ARE SKIPPED.                        *
*  Debian: sudo apt-get install chromium                                   *
*  elsewhere: install Chromium or Chrome, or set CHROMIUM=/path/to/it      *
****************************************************************************
MESSAGE
