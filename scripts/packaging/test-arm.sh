#!/bin/sh
# Builds the uploader for the Raspberry Pis and runs the black-box tests against it under emulation, with the binary and
# its runner given by the environment; then a pass after the year 2038.
#
#   scripts/packaging/test-arm.sh [NAME...]
#   ARM_WHOLE="arm64 armhf" scripts/packaging/test-arm.sh arm64 armhf
#
# NAME is arm64 or armhf (Debian 13's C library), arm64-static, armhf-static or armv6-static (no C library of the
# system's; ARMv6 on the processor of a Pi Zero). Default: all five. ARM_WHOLE names those that run every test (default:
# arm64 armv6-static, one of each C library and word size); the others run a part: $PART.
#
# Tests that need this machine's own program (modules named `native`) are left out and listed. Bounds of memory allow for the
# emulator's own. The largest clip has more than 2^31 bits, which is where 32-bit arithmetic would show. Last line:
# "arm: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || set -- arm64 armhf arm64-static armhf-static armv6-static
ARM_WHOLE=${ARM_WHOLE-arm64 armv6-static}
# Large clips and memory, every command, both layouts, TLS, databases of the predecessor's.
PART="streaming:: commands:: both:: security:: carry_on:: tracking::"

apt_install qemu-user-static qemu-user gcc libc6-dev sqlite3
of() { for name; do case $name in *-static) ;; *) say "$name" ;; esac; done; }
static_of() { for name; do case $name in *-static) say "${name%-static}" ;; esac; done; }
# shellcheck disable=SC2046 # lists of words
{
    [ -z "$(of "$@")" ] || step "build: $(of "$@" | paste -sd' ')" quietly sh scripts/build-arm.sh $(of "$@")
    [ -z "$(static_of "$@")" ] || step "static build: $(static_of "$@" | paste -sd' ')" quietly sh scripts/build-arm.sh --static $(static_of "$@")
}
trixie_tree
mounts_or_say
cargo build --quiet --workspace --locked

work=$(mktemp -d)
receiver=
trap '[ -z "$receiver" ] || kill "$receiver"; rm -rf "$work"' EXIT

# Every test counts; a runner that stopped half-way has failed.
blackbox() {
    log=target/blackbox-$name.log
    start=$(date +%s)
    which=$PART
    case " $ARM_WHOLE " in *" $name "*) which= ;; esac
    # shellcheck disable=SC2086 # a list of filters
    SYNC_TEST_CLIP_MB=300 SYNC_TEST_BIN=$binary SYNC_TEST_RUNNER=$runner RUST_BACKTRACE=0 \
        cargo test --locked --test blackbox -- $which --skip native:: $left_out >"$log" 2>&1 || :
    counts=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed; .*/\1 \2/p' "$log")
    grep '^test result' "$log" || tail -n 40 "$log"
    sed -n '/^failures:/,$p' "$log" | head -n 120
    say "black-box tests on $name (${which:-all}): $(($(date +%s) - start)) s"
    check "the black-box tests of $name ran to their end" [ -n "$counts" ]
    counts=${counts:-0 0}
    PASSED=$((PASSED + ${counts% *}))
    FAILED=$((FAILED + ${counts#* }))
}

# One pass without a server and one with it, as of about 2040. Where the program takes no preloaded clock, its emulator does.
after_2038() {
    place=$work/$name
    mkdir "$place"
    recorder_sql | sqlite3 "$place/surveillance.db"
    later() {
        # shellcheck disable=SC2086 # a command and its arguments
        env -i TZ=UTC LOCAL_DB_PATH="$place/surveillance.db" SYNC_MODE=once BACKEND_URL="$1" \
            $in_2040 "$binary" >"$place/out" 2>&1
    }
    tells() { [ "$(sqlite3 "$place/surveillance.db" "$1")" = 1 ] || { cat "$place/out"; return 1; }; }

    later http://127.0.0.1:9 || :
    check "a row that failed after 2038 is noted with its time ($name)" tells \
        "SELECT count(*) FROM sync_tracking WHERE sync_status = 'failed' AND sync_date > '2038-01-20'"
    check "and when it is due again ($name)" tells "SELECT count(*) FROM sync_retry WHERE due_at > 2147483647"

    RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA=$place/received target/debug/sync-receiver >"$place/receiver.log" &
    receiver=$!
    within 20 grep -q 'listening on' "$place/receiver.log"
    check "a pass after 2038 sends everything ($name)" later "$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$place/receiver.log")"
    check "every row is done ($name)" tells \
        "SELECT count(*) = 23 FROM sync_tracking WHERE sync_status = 'success' AND sync_date > '2038-01-20'"
    # musl asks DNS and /etc/hosts, nothing else: what a .local name needs there.
    if [ -z "$gnu" ]; then
        echo '127.0.0.1 server.local' >"$place/hosts"
        sqlite3 "$place/surveillance.db" "DELETE FROM sync_tracking WHERE table_name = 'evenement'"
        # shellcheck disable=SC2086 # a command and its arguments
        check "a .local name in /etc/hosts is found ($name)" quietly unshare --mount sh -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' sh \
            "$place/hosts" env -i LOCAL_DB_PATH="$place/surveillance.db" SYNC_MODE=once \
            BACKEND_URL="$(sed -n 's/.*listening on http:[^:]*:\([0-9]*\).*/http:\/\/server.local:\1/p' "$place/receiver.log")" $runner "$binary"
    fi
    kill "$receiver"
    receiver=
}

readelf_names_a_loader() { readelf -l "$1" | grep -q 'program interpreter'; }
# The shim is a library of the program's machine, or of this one's for the emulator.
make_clock() { "$@" -Wall -Wextra -Werror -fno-builtin -shared -fPIC -o "$clock" scripts/packaging/clock_2040.c; }

for name; do
    gnu=
    case $name in
        arm64) triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu emulator=qemu-aarch64 ;;
        armhf) triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf emulator=qemu-arm ;;
        arm64-static) triple=aarch64-unknown-linux-musl emulator=qemu-aarch64 cpu=cortex-a53 ;;
        armhf-static) triple=armv7-unknown-linux-musleabihf emulator=qemu-arm cpu=cortex-a7 ;;
        armv6-static) triple=arm-unknown-linux-musleabihf emulator=qemu-arm cpu=arm1176 ;;
        *) die "unknown name '$name': arm64, armhf, arm64-static, armhf-static or armv6-static" ;;
    esac
    folder=target/static/$triple
    [ -z "$gnu" ] || folder=target/arm/$triple
    binary=$ROOT/$folder/release/sync-service
    clock=$ROOT/$folder/clock_2040.so
    if [ -n "$gnu" ]; then
        runner="$emulator-static -L $TRIXIE_TREE/usr/$gnu"
        in_2040="$runner -E LD_PRELOAD=$clock"
        make_clock in_build_tree "$gnu-gcc"
    else
        runner="$emulator-static -cpu $cpu"
        in_2040="env LD_PRELOAD=$clock $emulator -cpu $cpu -U LD_PRELOAD"
        make_clock cc
        check "the $name binary needs no loader" not readelf_names_a_loader "$binary"
        check "the emulator takes a preloaded clock" readelf_names_a_loader "$(command -v "$emulator")"
    fi
    size=$(wc -c <"$binary")
    say "$name: $size bytes, stripped"
    check "the $name binary is at most 5 MB" [ "$size" -le 5000000 ]
    blackbox
    after_2038
done

say "arm left out, as they need this machine's own program:"
cargo test --quiet --locked --test blackbox -- --list native:: | sed -n 's/^\(.*\): test$/  \1/p'
# shellcheck disable=SC2154 # set by mounts_or_say
[ -z "$left_out" ] || say "$untested"
say "arm ran: every black-box test on ${ARM_WHOLE:-none}; on the others of '$*' only $PART"
verdict arm
