#!/bin/sh
# Everything around the programs, for real. Installs what it needs (docker.io with its engine, mmdebstrap, qemu); root.
# Usage: sh scripts/test-packaging.sh [PART...]      (default: all)
#
#   shell    the scripts, by shellcheck
#   supply   licences, sources, vulnerabilities, bills of materials
#   msrv     the oldest Rust promised
#   build    the programs that the others need
#   arm      the black-box tests on the ARM programs, under emulation
#   docker   the images, and that their programs are those of `build`, byte for byte
#   systemd  the units, in a machine that boots
#   deb      the packages, from installation to purge
#   older    the static package in older systems
#   twice    whether the same commit gives the same static programs (scripts/check-reproducible.sh)
#
# PLAIN_ARCHES (arm64 armhf), STATIC_ARCHES (armv6 arm64 armhf) and IMAGE_ARCHES (arm64 arm) say for what else than this
# machine's amd64 plain programs, static ones and images are built.
# What it makes stays in target/ and in the engine, and makes the next run shorter.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh

[ $# -gt 0 ] || set -- shell supply msrv build arm docker systemd deb older twice
PLAIN_ARCHES=${PLAIN_ARCHES-arm64 armhf}
STATIC_ARCHES=${STATIC_ARCHES-armv6 arm64 armhf}
IMAGE_ARCHES=${IMAGE_ARCHES-arm64 arm}
export STATIC_ARCHES
[ "$(id -u)" = 0 ] || die "this makes Debian trees and starts containers: run it as root"
mkdir -p target/packaging

msrv() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(in_build_tree /usr/bin/rustc --version | sed 's/^rustc \([0-9]*\.[0-9]*\)\..*/\1/')
    say "rust-version $wanted; the compiler of Debian 13 is $found"
    [ "$wanted" = "$found" ] || { say "msrv: 0 passed, 1 failed"; return 1; }
    if in_build_tree env CARGO_TARGET_DIR="$PWD/target/msrv" /usr/bin/cargo check --quiet --workspace --all-targets --locked; then
        say "msrv: 1 passed, 0 failed"
    else
        say "msrv: 0 passed, 1 failed"
        return 1
    fi
}

# The programs that the parts below need, Debian's way and zig's side by side: linking each is one processor's work.
build() {
    {
        SYNC_PACKAGES="sync-service sync-receiver" sh scripts/build-arm.sh amd64 && sh scripts/build-arm.sh $PLAIN_ARCHES
    } >target/packaging/build-arm.log 2>&1 &
    plain=$!
    failed_builds=0
    sh scripts/build-arm.sh --static $STATIC_ARCHES >target/packaging/build-static.log 2>&1 || failed_builds=1
    wait "$plain" || failed_builds=$((failed_builds + 1))
    [ "$failed_builds" = 0 ] || tail -n 30 target/packaging/build-arm.log target/packaging/build-static.log
    grep -h ' bytes$' target/packaging/build-arm.log target/packaging/build-static.log || :
    say "build: $((2 - failed_builds)) passed, $failed_builds failed"
    [ "$failed_builds" = 0 ]
}

twice() {
    if sh scripts/check-reproducible.sh --static armv6; then say "twice: 1 passed, 0 failed"; else say "twice: 0 passed, 1 failed"; return 1; fi
}

shell() {
    apt_install shellcheck
    if shellcheck -x -S warning .ci/run scripts/*.sh scripts/*/*.sh debian/*.postrm debian/*.prerm; then
        say "shell: 1 passed, 0 failed"
    else
        say "shell: 0 passed, 1 failed"
        return 1
    fi
}

# shellcheck disable=SC2046 # a list of names
part() {
    case $1 in
        shell) shell ;;
        supply) sh scripts/packaging/test-supply.sh ;;
        msrv) msrv ;;
        build) build ;;
        arm) sh scripts/packaging/test-arm.sh $PLAIN_ARCHES $(printf "%s-static " $STATIC_ARCHES) ;;
        docker) sh scripts/packaging/test-docker.sh $IMAGE_ARCHES ;;
        systemd) sh scripts/packaging/test-systemd.sh ;;
        deb) sh scripts/packaging/test-deb.sh amd64 $PLAIN_ARCHES ;;
        older) sh scripts/packaging/test-older.sh ;;
        twice) twice ;;
        *) die "unknown part '$1': shell, supply, msrv, build, arm, docker, systemd, deb, older, twice" ;;
    esac
}

start=$(date +%s)
trixie_tree
passed=0
failed=0
times="Debian 13 tree $(($(date +%s) - start)) s"
for name; do
    say ""
    say "== $name"
    start=$(date +%s)
    log=target/packaging/$name.log
    # A part that stops half-way has not said how many passed: that is a failure of its own.
    echo 1 >"$log.status"
    { part "$name" && echo 0 >"$log.status" || :; } 2>&1 | tee "$log"
    counts=$(sed -n "s/^$name: \([0-9]*\) passed, \([0-9]*\) failed\$/\1 \2/p" "$log" | tail -n 1)
    part_passed=${counts% *}
    part_failed=${counts#* }
    if [ -z "$counts" ] || { [ "$(cat "$log.status")" != 0 ] && [ "$part_failed" = 0 ]; }; then
        say "$name stopped before its end"
        part_failed=$((${part_failed:-0} + 1))
    fi
    passed=$((passed + ${part_passed:-0}))
    failed=$((failed + part_failed))
    # What is compared with the programs of `build` is so only after it.
    [ "$name $part_failed" != "build 0" ] || export BUILT=yes
    times="$times${times:+, }$name $(($(date +%s) - start)) s"
done

say ""
say "packaging: $passed passed, $failed failed; ran $times"
[ "$failed" = 0 ]
