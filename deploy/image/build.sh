#!/bin/sh
# Installs the checkout SOURCE with what it needs into a new virtual environment TARGET:  build.sh SOURCE TARGET
#
# pip is the base interpreter's: none stays in TARGET, nor does a cache. Byte code is made here, since the running
# container may write nowhere. pip's own variables (PIP_INDEX_URL, PIP_NO_INDEX, …) hold as usual.
set -eu
source=$1
target=$2

python3 -m venv --without-pip "$target"
python3 -m pip --python "$target/bin/python" install --quiet --no-cache-dir --disable-pip-version-check \
    --root-user-action ignore "${source}[fast,otel]"
