#!/bin/sh
# Builds release binaries for the Raspberry Pi with Debian's own cross compilers: no rustup, no image of any registry.
# Usage: sh scripts/build-arm.sh [arm64] [armhf] [amd64]      (default: arm64 armhf)
#        SYNC_PACKAGES="sync-service sync-receiver" sh scripts/build-arm.sh    also builds the receiver
#
# On Debian 13 with the packages below it builds as any user, directly. Elsewhere (root) it makes a Debian 13 tree
# with debootstrap under target/packaging and builds in there. The binaries are left in target/arm/<triple>/release/.
#
# arm64: Pi 3, 4, 5 and Zero 2 with a 64-bit system; armhf: Pi 2 and newer with a 32-bit system (ARMv7).
# Pi 1 and Zero (ARMv6) are not among Debian's architectures: `cross` builds for them, see cross.toml.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh

triple() {
    case $1 in
        arm64) say aarch64-unknown-linux-gnu ;;
        armhf) say armv7-unknown-linux-gnueabihf ;;
        amd64) say x86_64-unknown-linux-gnu ;;
        *) die "unknown architecture '$1': arm64, armhf or amd64" ;;
    esac
}
# Debian's name of a target's compilers; also accepted by strip, objdump and qemu's -L.
gnu() {
    case $1 in
        arm64) say aarch64-linux-gnu ;;
        armhf) say arm-linux-gnueabihf ;;
        amd64) say x86_64-linux-gnu ;;
    esac
}

[ $# -gt 0 ] || set -- arm64 armhf
targets=
for arch; do targets="$targets --target $(triple "$arch")"; done
packages=
for package in ${SYNC_PACKAGES:-sync-service}; do packages="$packages --package $package"; done

# Directly where Debian 13's own Rust knows every target, else in a tree.
run=
. /etc/os-release
if [ "${ID:-}:${VERSION_ID:-}" = debian:13 ] && [ -x /usr/bin/rustc ]; then
    for arch; do
        [ -d "/usr/lib/rustlib/$(triple "$arch")" ] && have "$(gnu "$arch")-gcc" || run=in_build_tree
    done
    [ -z "$run" ] || can_be_root || die "missing; as root: dpkg --add-architecture arm64 && dpkg --add-architecture armhf &&
  apt-get update && apt-get install --no-install-recommends $(printf '%s ' $TRIXIE_RUST $TRIXIE_CROSS)"
else
    run=in_build_tree
fi
[ -z "$run" ] || trixie_tree

# shellcheck disable=SC2086 # lists of words
$run env CARGO_TARGET_DIR="$PWD/target/arm" \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc \
    /usr/bin/cargo build --release --locked $packages $targets

for arch; do
    for package in ${SYNC_PACKAGES:-sync-service}; do
        binary=target/arm/$(triple "$arch")/release/$package
        say "$arch: $binary, $(wc -c <"$binary") bytes"
    done
done
