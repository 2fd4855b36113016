#!/bin/sh
# Whether the same commit gives the same binaries: builds HEAD twice, in two folders and with two caches of cargo, and
# compares them byte for byte.
#
#   sh scripts/check-reproducible.sh [--static] ARCH...       as for build-arm.sh; root
#
# SYNC_PACKAGES="sync-service sync-receiver" as there. The Debian 13 tree is shared: its packages are part of the recipe.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh
[ $# -gt 0 ] || die "name what to build: amd64, arm64, armhf, or --static arm64, armhf, armv6"

trixie_tree
folders=
for name in one another; do
    folder=$SYNC_CACHE/twice/$name
    rm -rf "$folder"
    mkdir -p "$folder"
    git archive HEAD | tar -x -C "$folder"
    say "-- building $(git rev-parse --short HEAD) in $folder"
    (
        cd "$folder"
        # Each with a cache of its own, which lies in its folder.
        SYNC_CACHE=$SYNC_CACHE SYNC_CARGO_HOME=$folder/cargo-home CARGO_TERM_QUIET=true sh scripts/build-arm.sh "$@"
    )
    folders="$folders $folder"
done

# shellcheck disable=SC2086 # two folders
set -- $folders
same=0
for package in ${SYNC_PACKAGES:-sync-service}; do
    for binary in $(cd "$1" && find target/arm target/static -path "*/release/$package" 2>/dev/null); do
        cmp "$1/$binary" "$2/$binary" || die "$binary is not the same twice"
        (cd "$1" && sha256sum "$binary")
        same=$((same + 1))
    done
done
[ "$same" -gt 0 ] || die "nothing was built"
say "check-reproducible.sh: $same binaries of $(git rev-parse --short HEAD), each built twice, each the same"
