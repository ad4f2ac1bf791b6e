#!/bin/sh
# Put jeos and the packages that it needs, for the Python of Debian 13, into a folder (default: python, beside this).
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
target="$(realpath -m "${1:-$here/python}")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
install() {
    "$python" -m pip install --quiet --disable-pip-version-check --target "$target" --no-compile --no-deps --upgrade "$@"
}
python="${PYTHON:-$here/../../.venv/bin/python}"
rm -rf "$target"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work" "$here/../.."
install --only-binary :all: --python-version 3.13 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    --require-hashes -r "$here/../../requirements/runtime.txt"
install "$work"/jeos-*.whl
rm -rf "$target/bin"
