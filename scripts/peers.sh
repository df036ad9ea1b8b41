#!/bin/sh
# System programs the tests talk to. Installs them where it may; else says what will be left out.
. "$(dirname "$0")/common.sh"
PATH=$PATH:/usr/sbin:/sbin

missing() {
    command -v chromium >/dev/null || echo chromium
    command -v dovecot >/dev/null || echo dovecot-imapd
    { [ -x /usr/lib/dovecot/lmtp ] || [ -x /usr/libexec/dovecot/lmtp ]; } || echo dovecot-lmtpd
    command -v nats-server >/dev/null || echo nats-server
}

wanted=$(missing | tr '\n' ' ')
[ -z "$wanted" ] && exit 0
if can_install; then
    # shellcheck disable=SC2086
    apt_install $wanted || warn "Not all system packages could be installed."
    wanted=$(missing | tr '\n' ' ')
    [ -z "$wanted" ] && exit 0
fi
warn "=============================================================================="
warn "LEFT OUT: tests that need these system packages, which are not installed:"
warn "    $wanted"
warn "Install them (as root: apt-get install $wanted) to run everything."
warn "=============================================================================="
case ${CI:-} in true | 1) fail "With CI=true nothing may be left out." ;; esac
