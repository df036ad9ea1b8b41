#!/bin/sh
# Everything `make test` promises: peers, lint, the frontends' tests, then all of pytest. Fails when one did.
. "$(dirname "$0")/common.sh"
failed=""

node=$(./scripts/node.sh)
PATH=$node:$PATH
export PATH
./scripts/lint.sh || failed="$failed lint"
for part in console widget; do
    [ -d $part/node_modules ] || continue
    say "Unit tests of $part"
    (cd $part && npm run --silent --if-present test) </dev/null || failed="$failed $part"
done
say "Tests"
code=0
# shellcheck disable=SC2086
.venv/bin/python -m pytest -n "${OTKLIK_TEST_WORKERS:-2}" ${PYTEST_ARGS:-} </dev/null || code=$?
[ $code = 0 ] || failed="$failed pytest"
[ -z "$failed" ] || fail "Failed:$failed"
say "All passed."
