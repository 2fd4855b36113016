#!/bin/sh
# Makes everything that is given out, in target/deb: the Debian packages of both programs, plain and static, the static
# programs by themselves, a software bill of materials of each program, and SHA256SUMS over it all.
# Usage: sudo sh scripts/build-release.sh
# scripts/check-reproducible.sh says whether the same commit gives the same programs twice.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

rm -rf target/deb
SYNC_PACKAGES="sync-service sync-receiver" sh scripts/build-deb.sh amd64 arm64 armhf
sh scripts/build-deb.sh --static arm64 armv6
sh scripts/build-arm.sh --static arm64 armhf armv6
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
cp target/static/aarch64-unknown-linux-musl/release/sync-service "target/deb/sync-service-$version-linux-arm64"
cp target/static/armv7-unknown-linux-musleabihf/release/sync-service "target/deb/sync-service-$version-linux-armv7"
cp target/static/arm-unknown-linux-musleabihf/release/sync-service "target/deb/sync-service-$version-linux-armv6"
sh scripts/sbom.sh
cd target/deb
sha256sum -- * >../SHA256SUMS
mv ../SHA256SUMS .
cat SHA256SUMS
