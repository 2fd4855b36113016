#!/bin/sh
# Builds the images: sync-service:latest and sync-receiver:latest for this machine, or with an architecture
# (amd64, arm64, arm) sync-service:ARCH.
#
#   scripts/packaging/images.sh [ARCH...]
#   scripts/packaging/images.sh --base         only what they and the tests' image are built on
#
# BASE            the base image (debian:trixie-slim), made with mmdebstrap when it is not there
# DEBIAN_MIRROR   where packages come from (the one apt uses here)
# EXTRA_CA_FILE   certificates that downloads need here besides Debian's (SSL_CERT_FILE when it is set)
set -eu
. "$(dirname -- "$0")/lib.sh"
"$ROOT/scripts/packaging/engine.sh"

# The base as builds on this machine need it: same packages, this machine's mirror and certificates.
# None of it reaches the final images.
BUILD_BASE=sync-build-base:local
build_base() {
    context=$(mktemp -d)
    ca=$(extra_ca)
    : >"$context/extra-ca.pem"
    [ -z "$ca" ] || cat "$ca" >"$context/extra-ca.pem"
    {
        say "FROM $BASE"
        say "COPY extra-ca.pem /etc/ssl/extra-ca.pem"
        say "RUN rm -f /etc/apt/sources.list.d/debian.sources && echo 'deb $(debian_mirror) trixie main' >/etc/apt/sources.list"
        if [ -n "$ca" ]; then
            say "RUN echo 'Acquire::https::CaInfo \"/etc/ssl/extra-ca.pem\";' >/etc/apt/apt.conf.d/extra-ca"
            say "ENV CARGO_HTTP_CAINFO=/etc/ssl/extra-ca.pem"
        fi
    } >"$context/Dockerfile"
    quietly env DOCKER_BUILDKIT=0 docker build --force-rm -t "$BUILD_BASE" "$context"
    status=$?
    rm -rf "$context"
    return $status
}

# DOCKER_BUILDKIT=0: the engine's own builder, which takes local base images and needs no plugin.
# Tried again when a download failed, not when the sources are wrong.
image() {
    log=$(mktemp)
    build() {
        DOCKER_BUILDKIT=0 docker build --force-rm --build-arg BASE="$BUILD_BASE" "$@" "$ROOT" >"$log" 2>&1 ||
            grep -q -e 'could not compile' -e 'dockerfile parse error' "$log"
    }
    retry build "$@" && ! grep -q -e 'could not compile' -e 'dockerfile parse error' "$log"
    status=$?
    [ "$status" -eq 0 ] || tail -n 60 "$log" >&2
    rm -f "$log"
    return $status
}

step "base for builds" build_base
[ "${1:-}" != --base ] || exit 0
if [ $# -eq 0 ]; then
    # Linking is one processor's work: the two side by side, after what they have in common.
    step "tools for both images" image -f "$ROOT/Dockerfile.sync" --target tools
    step "image sync-receiver" image -f "$ROOT/Dockerfile.receiver" -t sync-receiver:latest &
    receiver=$!
    step "image sync-service" image -f "$ROOT/Dockerfile.sync" -t sync-service:latest &
    service=$!
    failed_images=0
    for builder in "$receiver" "$service"; do wait "$builder" || failed_images=1; done
    [ "$failed_images" = 0 ] || exit 1
fi
for arch; do
    step "image sync-service for $arch" image -f "$ROOT/Dockerfile.sync" --build-arg TARGETARCH="$arch" -t "sync-service:$arch"
done
