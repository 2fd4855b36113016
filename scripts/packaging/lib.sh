# Sourced by the packaging scripts: timed steps, retries, and counted checks.

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
BASE=${BASE:-debian:trixie-slim}
PASSED=0
FAILED=0

say() { printf '%s\n' "$*"; }

# step NAME COMMAND...: runs the command, says how long it took, stops the script when it fails.
step() {
    step_name=$1
    shift
    step_start=$(date +%s)
    say "-> $step_name"
    if "$@"; then
        say "   $step_name: $(($(date +%s) - step_start)) s"
    else
        say "   $step_name: FAILED after $(($(date +%s) - step_start)) s" >&2
        exit 1
    fi
}

# retry COMMAND...: up to four times, with a growing pause, for commands that use the network.
retry() {
    retry_count=1
    until "$@"; do
        [ "$retry_count" -lt 4 ] || return 1
        say "   try $retry_count of 4 failed: $1; again in $((retry_count * 10)) s" >&2
        sleep $((retry_count * 10))
        retry_count=$((retry_count + 1))
    done
}

# quietly COMMAND...: shows what the command wrote only when it fails.
quietly() {
    quiet_log=$(mktemp)
    if "$@" >"$quiet_log" 2>&1; then
        rm -f "$quiet_log"
        return 0
    fi
    tail -n 60 "$quiet_log" >&2
    rm -f "$quiet_log"
    return 1
}

# check NAME COMMAND...: one counted check; the script goes on when it fails.
check() {
    check_name=$1
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
        say "ok   $check_name"
    else
        FAILED=$((FAILED + 1))
        say "FAIL $check_name"
    fi
}

# within SECONDS COMMAND...: true as soon as the command is, false when the seconds have gone by.
within() {
    within_end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$within_end" ] || return 1
        sleep 0.3
    done
}

# verdict NAME: the last line, and the exit status.
verdict() {
    say "$1: $PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# The Debian mirror: DEBIAN_MIRROR, else the first one apt uses on a Debian machine, else the public one.
debian_mirror() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        say "$DEBIAN_MIRROR"
        return
    fi
    mirror=
    if grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
        mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
            sed -n -E 's/^(URIs:|deb( \[[^]]*\])?) *(https?:\/\/[^ ]*\/debian)\/?( .*)?$/\3/p' | head -n 1)
    fi
    say "${mirror:-http://deb.debian.org/debian}"
}

# A certificate bundle that downloads need, if this machine has its own: EXTRA_CA_FILE, else SSL_CERT_FILE.
extra_ca() { say "${EXTRA_CA_FILE:-${SSL_CERT_FILE:-}}"; }
