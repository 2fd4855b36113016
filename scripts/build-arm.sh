#!/bin/sh
# Builds the release binaries for the Raspberry Pi (and amd64): the packages, the images and the tests take them from here.
#
#   sh scripts/build-arm.sh [arm64] [armhf] [amd64]               with Debian 13's compilers and C library
#   sh scripts/build-arm.sh --static [arm64] [armhf] [armv6]      with zig's, static: no C library of the system's
#   sh scripts/build-arm.sh --packages [ARCH...]                  prints the Debian packages the first form needs
#
# arm64: Pi 3, 4, 5 and Zero 2 with a 64-bit system; armhf: Pi 2 and newer with a 32-bit system (ARMv7);
# armv6: Pi 1, Zero, Zero W. Default: arm64 armhf; with --static all three.
# SYNC_PACKAGES="sync-service sync-receiver" also builds the receiver.
#
# On Debian 13 with those packages the first form builds as any user, directly. All else (root) happens in a Debian 13
# tree that is made under target/packaging. The binaries are left in target/arm/<triple>/release/, the static ones in
# target/static. The same commit gives the same bytes, wherever the repository and cargo's cache lie.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh

# Rust's name of a target and Debian's of its compilers.
triple() {
    case $1 in
        arm64) say "aarch64-unknown-linux-$libc" ;;
        armhf) say "armv7-unknown-linux-${libc}eabihf" ;;
        armv6) [ "$libc" = musl ] || die "armv6 is not among Debian's architectures: --static builds for it"
            say arm-unknown-linux-musleabihf ;;
        amd64) say "x86_64-unknown-linux-$libc" ;;
        *) die "unknown architecture '$1': arm64, armhf, armv6 or amd64" ;;
    esac
}
gnu() {
    case $1 in
        arm64) say aarch64-linux-gnu ;;
        armhf) say arm-linux-gnueabihf ;;
        amd64) say x86_64-linux-gnu ;;
    esac
}

libc=gnu
action=build
case ${1:-} in
    --static) libc=musl; shift; [ $# -gt 0 ] || set -- arm64 armhf armv6 ;;
    --packages) action=packages; shift ;;
esac
[ $# -gt 0 ] || set -- arm64 armhf

if [ "$action" = packages ]; then
    say cargo rustc ca-certificates binutils
    for arch; do
        triple "$arch" >/dev/null
        say "gcc-$(gnu "$arch" | tr _ -)" "libc6-dev:$arch" "libstd-rust-dev:$arch"
    done
    exit
fi

# ── Where: here, where everything is, else in a tree ────────────────────────────────────────────────────────────

ready_here() {
    . /etc/os-release
    [ "${ID:-}:${VERSION_ID:-}" = debian:13 ] && [ -x /usr/bin/rustc ] || return 1
    # The static builds change the tree's copy of Rust's library: never this machine's.
    [ "$libc" = gnu ] || { [ -e /.packages ]; return; }
    for arch; do
        [ -d "/usr/lib/rustlib/$(triple "$arch")" ] && have "$(gnu "$arch")-gcc" || return 1
    done
}
if ! ready_here "$@"; then
    [ "$(id -u)" = 0 ] || [ "$libc" = musl ] || die "run it as root, or have root install (dpkg --add-architecture for each first):
  apt-get install --no-install-recommends $(sh "$0" --packages "$@" | paste -sd' ')"
    trixie_tree
    option=
    [ "$libc" = gnu ] || option=--static
    in_build_tree env SYNC_PACKAGES="${SYNC_PACKAGES:-sync-service}" sh scripts/build-arm.sh $option "$@"
    exit
fi

# ── With what ───────────────────────────────────────────────────────────────────────────────────────────────────

targets=
for arch; do targets="$targets --target $(triple "$arch")"; done

# Where things lie on this machine is nobody's business, and would make every build another one. The last one that fits
# counts: cargo's folder may lie in the repository's.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="--remap-path-prefix=$PWD=/build --remap-path-prefix=$cargo_home=/cargo"
CFLAGS="-ffile-prefix-map=$PWD=/build -ffile-prefix-map=$cargo_home=/cargo"
export RUSTFLAGS CFLAGS
# A folder for each way, so that the two can work side by side.
folder=arm
[ "$libc" = gnu ] || folder=static
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/$folder}"

# zig's C compiler, linker and musl, from PyPI, with their checksums.
zig() {
    zig=/opt/zig-$(sha256sum scripts/lib/zig.txt | cut -c1-16)
    [ -e "$zig/ziglang/zig" ] || {
        say "-- installing zig"
        retry pip install --quiet --no-deps --require-hashes --root-user-action ignore --target "$zig.new" -r scripts/lib/zig.txt
        mv "$zig.new" "$zig"
    }
    export PATH="$PATH:$zig/bin" CARGO_ZIGBUILD_ZIG_PATH="$zig/ziglang/zig" ZIG_GLOBAL_CACHE_DIR="$CARGO_TARGET_DIR/zig"
}

# On 32-bit Arm Rust 1.85 asks musl for a clock of 32 bits, and aborts after 2038; for glibc it asks for 64. The same
# words for musl, in four lines of the library that -Z build-std compiles.
clock_of_64_bits() {
    time=/usr/lib/rustlib/src/rust/library/std/src/sys/pal/unix/time.rs
    old='target_env = "gnu",'
    new='any(target_env = "gnu", target_env = "musl"),'
    [ "$(grep -cF "$new" "$time")" != 4 ] || return 0
    [ "$(grep -cF "$old" "$time")" = 4 ] || die "$time is not that of Rust 1.85: its clock would end in 2038"
    sed -i "s/$old/$new/" "$time"
    [ "$(grep -cF "$new" "$time")" = 4 ] || die "$time could not be changed"
}

# ── Build ───────────────────────────────────────────────────────────────────────────────────────────────────────

[ "$libc" = gnu ] || { zig; clock_of_64_bits; }
for package in ${SYNC_PACKAGES:-sync-service}; do
    # Each by itself: together, one would get what the other asks of a library that both use.
    # shellcheck disable=SC2086 # a list of words
    if [ "$libc" = gnu ]; then
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
            CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc \
            CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
            /usr/bin/cargo build --release --locked --package "$package" $targets
    else
        # Rust's own C library and start files stay out: zig brings them.
        RUSTC_BOOTSTRAP=1 RUSTFLAGS="$RUSTFLAGS -C link-self-contained=no" \
            cargo-zigbuild zigbuild --release --locked -Z build-std=std,panic_abort --package "$package" $targets
    fi
    for arch; do
        binary=$CARGO_TARGET_DIR/$(triple "$arch")/release/$package
        say "$arch: ${binary#"$PWD/"}, $(wc -c <"$binary") bytes"
    done
done
