#!/bin/sh
# All linters; runs each to its end and fails when one of them did.
. "$(dirname "$0")/common.sh"
bin=.venv/bin
failed=""

check() { # name, command…
    name=$1
    shift
    say "$name"
    "$@" </dev/null || failed="$failed $name"
}

check "ruff-format" $bin/ruff format --check -q .
check "ruff" $bin/ruff check -q .
check "mypy" $bin/mypy
if grep -q '^\[tool.importlinter' pyproject.toml || [ -f .importlinter ]; then
    check "import-linter" $bin/lint-imports
fi
node=$(./scripts/node.sh)
PATH=$node:$PATH
export PATH
for part in console widget; do
    [ -d $part/node_modules ] && check "$part-check" npm --prefix $part run --silent --if-present check
done
[ -z "$failed" ] || fail "Lint failed:$failed"
