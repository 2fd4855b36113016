# shellcheck shell=sh
# Sourced by the packaging scripts: timed steps and counted checks, beside what all scripts share. They run in the
# repository's folder.

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$ROOT" || exit
. scripts/lib/common.sh
. scripts/lib/trixie.sh
BASE=${BASE:-debian:trixie-slim}
PASSED=0
FAILED=0

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

# A recorder's database as SQL: its tables, and rows.
recorder_sql() { cat tests/recorder.sql scripts/packaging/rows.sql; }

# Words for `check`.
is() { [ "$1" = "$2" ] || { say "     got: $1, not: $2"; return 1; }; }
not() { ! "$@" >/dev/null 2>&1; }
gives() { # gives WANTED COMMAND...
    gives_wanted=$1
    shift
    [ "$("$@")" = "$gives_wanted" ]
}

# verdict NAME: the last line, and the exit status.
verdict() {
    say "$1: $PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# A certificate bundle that downloads need, if this machine has its own: EXTRA_CA_FILE, else SSL_CERT_FILE.
extra_ca() { say "${EXTRA_CA_FILE:-${SSL_CERT_FILE:-}}"; }
