# What the scripts share: where we are, how we speak, pinned versions. Sourced, not run.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(pwd)
TOOLS=$ROOT/.cache/tools
UV_VERSION=0.13.9
NODE_WHEEL_VERSION=24.19.0

say() { printf '\033[1m→ %s\033[0m\n' "$*" >&2; }
warn() { printf '\033[1;33m! %s\033[0m\n' "$*" >&2; }
fail() { printf '\033[1;31m✗ %s\033[0m\n' "$*" >&2; exit 1; }

# Root on a Debian-like system may install what is missing.
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_install() {
    say "Installing system packages: $*"
    apt-get update -qq </dev/null >&2 || warn "apt-get update failed; trying with the lists that are there."
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
        path=$(command -v "$candidate") || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$path"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3.11 make …"
}

# The tools' own environment: uv, and Node where the system has none.
ensure_tools() {
    [ -x "$TOOLS/bin/pip" ] && "$TOOLS/bin/python" -c '' 2>/dev/null && return
    rm -rf "$TOOLS"
    mkdir -p "$(dirname "$TOOLS")"
    python=$(find_python)
    say "Making a place for tools with $python"
    if ! "$python" -m venv "$TOOLS" >/dev/null 2>&1; then
        # Debian keeps the module venv in a package of its own.
        can_install && apt_install python3-venv
        rm -rf "$TOOLS"
        "$python" -m venv "$TOOLS" >&2 || fail "Python's module venv is missing: install the package python3-venv."
    fi
}

ensure_uv() {
    [ "$("$TOOLS/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ] && return
    ensure_tools
    say "Installing uv $UV_VERSION"
    "$TOOLS/bin/pip" install -q --disable-pip-version-check "uv==$UV_VERSION" >&2
}
