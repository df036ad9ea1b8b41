#!/bin/sh
# Builds the console and the site chat when their sources changed; `install` only installs their packages.
. "$(dirname "$0")/common.sh"
action=${1:-build}

checksum() { # of all sources of a folder, names included
    find "$1" -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' -print0 |
        LC_ALL=C sort -z | xargs -0 cksum | cksum
}

# A lock written where a mirror lacks other systems' optional binaries does not satisfy `npm ci`, although
# everything this system needs is in it with its checksum: then install from it without changing it.
install() {
    log=$(mktemp)
    if ! (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
        grep -q EUSAGE "$log" || { cat "$log"; rm "$log"; return 1; }
        (cd "$1" && npm install --no-save --no-audit --no-fund --loglevel=error)
    fi
    rm "$log"
}

packages() {
    wanted=$(cksum "$1/package-lock.json")
    [ "$(cat "$1/node_modules/.installed" 2>/dev/null)" = "$wanted" ] && return
    say "Installing the packages of $1"
    install "$1" </dev/null >&2
    mkdir -p "$1/node_modules"
    echo "$wanted" >"$1/node_modules/.installed"
}

build() {
    sources=$(checksum "$1")
    [ -d "$1/dist" ] && [ "$(cat "$1/dist/.built" 2>/dev/null)" = "$sources" ] && return
    packages "$1"
    say "Building $1"
    (cd "$1" && npm run --silent build) </dev/null >&2
    echo "$sources" >"$1/dist/.built"
}

node=$(./scripts/node.sh)
PATH=$node:$PATH
export PATH
for part in console widget; do
    if [ ! -f $part/package-lock.json ]; then
        warn "$part has no sources yet: left out."
    elif [ "$action" = install ]; then
        packages $part
    else
        build $part
    fi
done
# Peers of the tests that come from npm (fakes of platforms nobody here wrote).
if [ "$action" = install ]; then
    find tests -name package-lock.json -not -path '*/node_modules/*' | while read -r lock; do
        packages "$(dirname "$lock")"
    done
fi
