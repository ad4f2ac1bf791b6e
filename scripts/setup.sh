#!/bin/sh
# Installs what is missing: Debian packages (as root, or through sudo) and a virtual environment in .venv.
#   scripts/setup.sh [server|test|bench]
set -eu
cd "$(dirname "$0")/.."

wanted=$(grep -hv '^#' requirements/debian.txt)
case "${1:-}" in test|bench) wanted="$wanted $(grep -hv '^#' requirements/debian-test.txt)" ;; esac
if [ "${1:-}" = bench ]; then
    wanted="$wanted $(grep -hv '^#' requirements/debian-bench.txt)"
    # shellcheck source=/dev/null disable=SC2086
    release=$(. /etc/os-release && echo "${VERSION_ID:-99}") # Debian's next release has no number yet
    [ "${release%%.*}" -ge 13 ] || wanted=$(printf '%s\n' $wanted | grep -vx mkosi) # too old to compare with
fi

# One that came with another Node.js than Debian's does as well, and conflicts with Debian's.
# shellcheck disable=SC2086
! command -v npm >/dev/null || wanted=$(printf '%s\n' $wanted | grep -vx npm)

missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done

if [ -n "$missing" ]; then
    echo "installing:$missing" >&2
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "hint: as root, run: apt-get install$missing" >&2; exit 1; }
        as_root=sudo
    fi
    $as_root apt-get update -q >&2
    # shellcheck disable=SC2086  # a list of words is meant
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi

requirements=requirements/runtime.txt
case "${1:-}" in test|bench) requirements=requirements/dev.txt ;; server) requirements=requirements/server.txt ;; esac
stamp=.venv/.jeos-$(cat "$requirements" pyproject.toml | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements" >&2
    if [ "$requirements" = requirements/dev.txt ]; then
        .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
    else
        .venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e . >&2
    fi
    touch "$stamp"
fi
