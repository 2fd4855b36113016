#!/bin/sh
# A working Docker engine and the base image, without a registry of images: installs docker.io when it is missing,
# starts dockerd when it does not run, makes the image $BASE with mmdebstrap.
#
#   scripts/packaging/engine.sh
#
# BASE            name of the base image (debian:trixie-slim); left alone when it exists
# DEBIAN_MIRROR   where packages come from (the one apt uses here)
set -eu
. "$(dirname -- "$0")/lib.sh"

install_missing() {
    have dockerd && have docker && return 0
    have apt-get || die "install Docker first"
    apt_install docker.io iptables ca-certificates || return 1
    # A package of its own on Debian 13.
    have docker || apt_install docker-cli
}

answers() { docker info >/dev/null 2>&1; }

start_engine() {
    answers && return 0
    if [ -d /run/systemd/system ] && as_root systemctl start docker 2>/dev/null && within 30 answers; then
        return 0
    fi
    # A daemon started by someone a moment ago may still be on its way up.
    if [ -e /var/run/docker.pid ] && within 20 answers; then return 0; fi
    as_root sh -c 'nohup dockerd >/var/log/dockerd.log 2>&1 &'
    within 60 answers && return 0
    as_root tail -n 20 /var/log/dockerd.log >&2
    return 1
}

make_base() {
    if docker image inspect "$BASE" >/dev/null 2>&1; then return 0; fi
    [ "$BASE" = debian:trixie-slim ] || die "there is no image $BASE: only debian:trixie-slim is made here"
    trixie_base &&
        docker import --change 'CMD ["bash"]' "$TRIXIE_BASE" "$BASE" >/dev/null &&
        docker run --rm --network none "$BASE" true
}

step "docker.io" install_missing
step "engine" start_engine
step "base image $BASE" make_base
say "engine: ready ($(docker version --format '{{.Server.Version}}'), $BASE $(docker image inspect --format '{{.Size}}' "$BASE" | awk '{printf "%.0f MB", $1/1e6}'))"
