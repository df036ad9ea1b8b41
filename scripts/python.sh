#!/bin/sh
# Python packages into .venv, exactly as locked. `run` for the program, `dev` with the tests' packages.
. "$(dirname "$0")/common.sh"
kind=${1:-run}
case $kind in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) fail "Usage: scripts/python.sh run|dev" ;;
esac

stamp=.venv/.synced
wanted=$(cat requirements.lock requirements-dev.lock | cksum | tr ' ' '-')
if .venv/bin/python -c '' 2>/dev/null && [ -f $stamp ]; then
    # What is installed for the tests serves the program as well.
    [ "$(cat $stamp)" = "dev $wanted" ] && exit 0
    [ "$(cat $stamp)" = "$kind $wanted" ] && exit 0
fi

ensure_uv
rm -f $stamp
.venv/bin/python -c '' 2>/dev/null || "$TOOLS/bin/uv" venv -q --clear --python "$(find_python)" .venv
say "Installing Python packages ($lock)"
"$TOOLS/bin/uv" pip sync -q --python .venv/bin/python --require-hashes "$lock"

# The project itself: a path entry and a command. Building a wheel of it would need an unlocked build backend.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$ROOT" >"$site/otklik.pth"
cat >.venv/bin/otklik <<'SH'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -m app.cli "$@"
SH
chmod +x .venv/bin/otklik
echo "$kind $wanted" >$stamp
