#!/bin/sh
# Pins every Python package with its checksums; versions stay as they are unless asked for with `--upgrade`.
. "$(dirname "$0")/common.sh"
ensure_uv
compile() {
    "$TOOLS/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links pyproject.toml "$@"
}
compile -o requirements.lock "$@"
compile --group dev -c requirements.lock -o requirements-dev.lock "$@"
