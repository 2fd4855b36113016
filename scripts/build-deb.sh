#!/bin/sh
# Builds the Debian packages: target/deb/sync-service_<version>_<architecture>.deb
#
#   sh scripts/build-deb.sh [amd64] [arm64] [armhf]         for Debian 13 and what is as new (default: all three)
#   sh scripts/build-deb.sh --static [arm64] [armv6]        static, for older systems and the ARMv6 of Pi 1 and Zero
#
# The static ones have the version <version>+static; that of armv6 is for armhf, and runs on every 32-bit Raspberry Pi OS.
# SYNC_PACKAGES="sync-service sync-receiver" also makes the receiver's. SYNC_DEB_VERSION=0.0.9: another version, for tests.
# On Debian 13 directly (any user, with debhelper and the compilers of build-arm.sh), elsewhere in a tree (root).
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh

version=${SYNC_DEB_VERSION:-$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)}
static=
if [ "${1:-}" = --static ]; then
    static=--static
    shift
    [ $# -gt 0 ] || set -- arm64 armv6
    version=$version+static
fi
[ $# -gt 0 ] || set -- amd64 arm64 armhf
packages=${SYNC_PACKAGES:-sync-service}

run=
. /etc/os-release
if [ "${ID:-}:${VERSION_ID:-}" = debian:13 ] && [ -z "$static" ]; then
    have dh || die "debhelper is missing: apt-get install debhelper"
else
    run=in_build_tree
    trixie_tree
fi

# All binaries in one go: cargo shares the work that does not depend on the target.
SYNC_PACKAGES=$packages sh scripts/build-arm.sh $static "$@"
for arch; do
    debian=$arch
    [ "$arch" != armv6 ] || debian=armhf
    # shellcheck disable=SC2046 # a list of options
    $run env DEB_BUILD_OPTIONS=noautodbgsym DH_OPTIONS="$(printf -- '-p%s ' $packages)" SYNC_DEB_VERSION="$version" \
        ${static:+SYNC_STATIC="$arch"} \
        dpkg-architecture -a "$debian" -c sh -c 'debian/rules clean && debian/rules binary' >"target/deb-$arch.log" 2>&1 ||
        { tail -n 30 "target/deb-$arch.log" >&2; die "the package for $arch could not be built"; }
    for package in $packages; do
        deb=target/deb/${package}_${version}_$debian.deb
        say "$deb: $(wc -c <"$deb") bytes"
    done
done
$run debian/rules clean >/dev/null
