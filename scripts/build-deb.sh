#!/bin/sh
# Builds the Debian packages: target/deb/sync-service_<version>_<architecture>.deb
# Usage: sh scripts/build-deb.sh [amd64] [arm64] [armhf]         (default: all three)
#        SYNC_DEB_VERSION=0.0.9 sh scripts/build-deb.sh amd64    a package with another version, for tests
# On Debian 13 directly (any user, with debhelper and the compilers of build-arm.sh), elsewhere in a tree (root).
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh

[ $# -gt 0 ] || set -- amd64 arm64 armhf

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)

run=
. /etc/os-release
if [ "${ID:-}:${VERSION_ID:-}" = debian:13 ]; then
    have dh || die "debhelper is missing: apt-get install debhelper"
else
    run=in_build_tree
    trixie_tree
fi

# All binaries in one go: cargo shares the work that does not depend on the target.
sh scripts/build-arm.sh "$@"
for arch; do
    $run env DEB_BUILD_OPTIONS=noautodbgsym ${SYNC_DEB_VERSION:+SYNC_DEB_VERSION="$SYNC_DEB_VERSION"} \
        dpkg-architecture -a "$arch" -c sh -c 'debian/rules clean && debian/rules binary' >"target/deb-$arch.log" 2>&1 ||
        { tail -n 30 "target/deb-$arch.log" >&2; die "the package for $arch could not be built"; }
    deb=target/deb/sync-service_${SYNC_DEB_VERSION:-$version}_$arch.deb
    say "$deb: $(wc -c <"$deb") bytes"
done
$run debian/rules clean >/dev/null
