#!/bin/sh
# Cross-builds the uploader for arm64 and armhf and runs the contract tests against it under emulation: the same
# black-box tests, with the binary's runner given by the environment.
#
#   scripts/packaging/test-arm.sh [arm64] [armhf]
#
# Left out are the tests whose load an emulator cannot carry; bounds of memory are not asserted under one. The clips
# of `streaming` are longer than 2^31 bits, which is where 32-bit arithmetic would show.
# Last line: "arm: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
cd "$ROOT"
. scripts/lib/common.sh
. scripts/lib/trixie.sh
[ $# -gt 0 ] || set -- arm64 armhf

# The modules that speak of the contract: payloads and tables to the byte, output, settings, odd rows, signals.
# One test of console starts the binary from a shell, which cannot run it.
SKIP="--skip a_reader_that_goes_away"
MODULES="payloads tracking carry_on console settings startup_errors odd_rows keys modes signals verdicts negotiation commands
    streaming"

apt_install qemu-user-static
sh scripts/build-arm.sh "$@"
trixie_tree
cargo build --quiet --workspace --locked

for arch; do
    case $arch in
        arm64) triple=aarch64-unknown-linux-gnu root=aarch64-linux-gnu emulator=qemu-aarch64-static ;;
        armhf) triple=armv7-unknown-linux-gnueabihf root=arm-linux-gnueabihf emulator=qemu-arm-static ;;
        *) die "unknown architecture '$arch': arm64 or armhf" ;;
    esac
    binary=$ROOT/target/arm/$triple/release/sync-service
    size=$(wc -c <"$binary")
    say "$arch: $size bytes, stripped"
    check "the $arch binary is at most 5 MB" [ "$size" -le 5000000 ]

    start=$(date +%s)
    log=target/contract-$arch.log
    # shellcheck disable=SC2086 # a list of modules
    if SYNC_TEST_CLIP_MB=300 SYNC_TEST_BIN=$binary SYNC_TEST_RUNNER="$emulator -L $TRIXIE_TREE/usr/$root" \
        cargo test --locked --test blackbox -- $SKIP $MODULES >"$log" 2>&1; then passed=0; else passed=1; fi
    grep '^test result' "$log" || tail -n 40 "$log"
    [ "$passed" = 0 ] || sed -n '/^failures:/,$p' "$log" | head -n 120
    say "contract tests on $arch: $(($(date +%s) - start)) s"
    check "the contract tests pass on $arch" [ "$passed" = 0 ]
done

verdict arm
