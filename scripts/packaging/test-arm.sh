#!/bin/sh
# Cross-builds the uploader for arm64 and armhf and runs the black-box tests against it under emulation: all of them, the
# same as on this machine, with the binary and its runner given by the environment. Then a pass after the year 2038.
#
#   scripts/packaging/test-arm.sh [arm64] [armhf]
#
# Bounds of memory are not asserted under an emulator, whose memory is not the program's. The largest clip has more than
# 2^31 bits, which is where 32-bit arithmetic would show. Last line: "arm: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || set -- arm64 armhf

apt_install qemu-user-static sqlite3
sh scripts/build-arm.sh "$@"
trixie_tree
cargo build --quiet --workspace --locked

work=$(mktemp -d)
receiver=
trap '[ -z "$receiver" ] || kill "$receiver"; rm -rf "$work"' EXIT

# Every test counts; a runner that stopped half-way has failed.
blackbox() {
    log=target/blackbox-$arch.log
    start=$(date +%s)
    SYNC_TEST_CLIP_MB=300 SYNC_TEST_BIN=$binary SYNC_TEST_RUNNER=$runner RUST_BACKTRACE=0 \
        cargo test --locked --test blackbox >"$log" 2>&1 || :
    counts=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed; .*/\1 \2/p' "$log")
    grep '^test result' "$log" || tail -n 40 "$log"
    sed -n '/^failures:/,$p' "$log" | head -n 120
    say "black-box tests on $arch: $(($(date +%s) - start)) s"
    check "the black-box tests of $arch ran to their end" [ -n "$counts" ]
    counts=${counts:-0 0}
    PASSED=$((PASSED + ${counts% *}))
    FAILED=$((FAILED + ${counts#* }))
}

# One pass without a server and one with it, as of about 2040.
after_2038() {
    folder=$work/$arch
    mkdir "$folder"
    sqlite3 "$folder/surveillance.db" <scripts/packaging/recorder.sql
    later() {
        # shellcheck disable=SC2086 # a command and its arguments
        env -i TZ=UTC LOCAL_DB_PATH="$folder/surveillance.db" SYNC_MODE=once BACKEND_URL="$1" \
            $runner -E LD_PRELOAD="$clock" "$binary" >"$folder/out" 2>&1
    }
    tells() { [ "$(sqlite3 "$folder/surveillance.db" "$1")" = 1 ] || { cat "$folder/out"; return 1; }; }

    later http://127.0.0.1:9 || :
    check "a row that failed after 2038 is noted with its time ($arch)" tells \
        "SELECT count(*) FROM sync_tracking WHERE sync_status = 'failed' AND sync_date > '2038-01-20'"
    check "and when it is due again ($arch)" tells "SELECT count(*) FROM sync_retry WHERE due_at > 2147483647"

    RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA=$folder/received target/debug/sync-receiver >"$folder/receiver.log" &
    receiver=$!
    within 20 grep -q 'listening on' "$folder/receiver.log"
    check "a pass after 2038 sends everything ($arch)" later "$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$folder/receiver.log")"
    check "every row is done ($arch)" tells \
        "SELECT count(*) = 23 FROM sync_tracking WHERE sync_status = 'success' AND sync_date > '2038-01-20'"
    kill "$receiver"
    receiver=
}

for arch; do
    case $arch in
        arm64) triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu emulator=qemu-aarch64-static ;;
        armhf) triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf emulator=qemu-arm-static ;;
        *) die "unknown architecture '$arch': arm64 or armhf" ;;
    esac
    binary=$ROOT/target/arm/$triple/release/sync-service
    runner="$emulator -L $TRIXIE_TREE/usr/$gnu"
    clock=$ROOT/target/arm/$triple/clock_2040.so
    size=$(wc -c <"$binary")
    say "$arch: $size bytes, stripped"
    check "the $arch binary is at most 5 MB" [ "$size" -le 5000000 ]
    blackbox
    in_build_tree "$gnu-gcc" -Wall -Wextra -Werror -fno-builtin -shared -fPIC -o "$clock" scripts/packaging/clock_2040.c
    after_2038
done

verdict arm
