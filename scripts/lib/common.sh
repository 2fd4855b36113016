# shellcheck shell=sh
# Shared by the scripts in scripts/: sourced, not run. POSIX sh.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Power cuts are tested on a file system of their own (scripts/powerfs.py): as root, with the kernel's FUSE, where mounting is
# allowed. Where it can't be had the tests are left out, and $untested says so; print it last, where it is seen.
untested=
power_cuts_or_say() {
    if [ ! -e /dev/fuse ] && can_be_root && have modprobe; then as_root modprobe fuse 2>/dev/null || :; fi
    if [ -e /dev/fuse ] && [ "$(id -u)" = 0 ] && have python3 && unshare --mount true 2>/dev/null; then return 0; fi
    untested="!! NOT TESTED: power cuts (they need root, /dev/fuse, python3 and the right to mount)"
    say "$untested"
    export SYNC_TEST_WITHOUT_FUSE=1
}

# Full and read-only cards are mounted. Where this user may not, `left_out` leaves their tests out by name, and `untested` says so.
# shellcheck disable=SC2034
mounts_or_say() {
    left_out=
    if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then return 0; fi
    left_out="--skip mounts::"
    say "!! NOT TESTED: full and read-only cards (they need root and the right to mount)"
    untested="$untested${untested:+
}!! NOT TESTED: full and read-only cards (they need root and the right to mount)"
}

# Tries a command up to four times: a package mirror may stumble for a minute.
retry() {
    retry_wait=5
    for retry_try in 1 2 3; do
        "$@" && return 0
        say "-- try $retry_try of '$*' failed; again in $retry_wait s" >&2
        sleep "$retry_wait"
        retry_wait=$((retry_wait * 3))
    done
    "$@"
}

# How this user becomes root: nothing when it is root, sudo when that asks no password or there is a terminal.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }
}

apt_update() {
    as_root apt-get update -q || return 1
    # apt-get update succeeds on a partly read mirror; the lists tell.
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ]
}
apt_install_once() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
}

# Installs those of the named Debian packages that are missing.
apt_install() {
    apt_missing=
    for apt_package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$apt_package" 2>/dev/null) in
            'install ok installed') ;;
            *) apt_missing="$apt_missing $apt_package" ;;
        esac
    done
    [ -n "$apt_missing" ] || return 0
    say "-- installing$apt_missing"
    retry apt_update >/dev/null || return 1
    # shellcheck disable=SC2086 # a list of package names
    retry apt_install_once $apt_missing
}

# receiver_start FILE COMMAND...: starts a receiver; sets $receiver_pid at once, and $receiver_url when it listens. What it prints goes to
# FILE.out, what it logs to the end of FILE.log.
receiver_start() {
    receiver_file=$1
    shift
    : >"$receiver_file.out"
    "$@" >"$receiver_file.out" 2>>"$receiver_file.log" &
    receiver_pid=$!
    receiver_tries=0
    until receiver_url=$(sed -n 's/^sync-receiver listening on //p' "$receiver_file.out") && [ -n "$receiver_url" ]; do
        receiver_tries=$((receiver_tries + 1))
        if [ "$receiver_tries" -gt 300 ] || ! kill -0 "$receiver_pid" 2>/dev/null; then
            kill "$receiver_pid" 2>/dev/null || :
            cat "$receiver_file.log" >&2
            die "the receiver did not start"
        fi
        sleep 0.1
    done
}

# cargo_tool NAME VERSION: `cargo NAME` of at least that version: the one that is there, else one built into target/tools.
# Unoptimised: built in a third of the time, for a few seconds of work.
cargo_tool() {
    case :$PATH: in *":$PWD/target/tools/bin:"*) ;; *) PATH=$PWD/target/tools/bin:$PATH ;; esac
    tool_found=$(cargo "$1" --version 2>/dev/null | sed 's/.* //')
    [ -n "$tool_found" ] && [ "$(printf '%s\n' "$2" "$tool_found" | sort -V | head -n 1)" = "$2" ] && return 0
    say "-- building cargo-$1 $2"
    CARGO_TARGET_DIR=$PWD/target/tools/build retry \
        cargo install --quiet --locked --debug --force --root "$PWD/target/tools" --version "=$2" "cargo-$1"
}
