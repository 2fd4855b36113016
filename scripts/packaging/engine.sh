#!/bin/sh
# A working Docker engine and the base image, without a registry of images: installs docker.io and debootstrap
# when they are missing, starts dockerd when it does not run, makes the image $BASE with debootstrap.
#
#   scripts/packaging/engine.sh
#
# BASE            name of the base image (debian:trixie-slim); left alone when it exists
# DEBIAN_MIRROR   where packages come from (the one apt uses here)
set -eu
. "$(dirname -- "$0")/lib.sh"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_missing() {
    missing=
    command -v dockerd >/dev/null || missing="docker.io"
    command -v docker >/dev/null || missing="docker.io"
    [ -x /usr/sbin/debootstrap ] || missing="$missing debootstrap"
    [ -z "$missing" ] && return 0
    command -v apt-get >/dev/null || {
        say "install these first: $missing" >&2
        return 1
    }
    retry quietly as_root apt-get update
    # docker-cli is a package of its own on Debian 13.
    apt-cache show docker-cli >/dev/null 2>&1 && case $missing in *docker.io*) missing="$missing docker-cli" ;; esac
    # shellcheck disable=SC2086
    retry quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends ca-certificates iptables $missing
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
    suite=${BASE#*:}
    suite=${suite%-slim}
    root=$(mktemp -d)
    script=/usr/share/debootstrap/scripts/$suite
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    bootstrap() {
        as_root rm -rf "$root"
        mkdir -p "$root"
        quietly as_root debootstrap --variant=minbase "$suite" "$root" "$(debian_mirror)" "$script"
    }
    retry bootstrap || return 1
    # What Debian's own slim images leave out, and the sources a user of theirs finds.
    as_root sh -c "
        rm -rf '$root'/var/cache/apt/archives/*.deb '$root'/var/lib/apt/lists/* '$root'/var/log/*.log
        find '$root/usr/share/doc' -type f ! -name copyright -delete
        rm -rf '$root'/usr/share/man/* '$root'/usr/share/info/* '$root'/usr/share/locale/*
        printf 'deb %s %s main\n' '$(debian_mirror)' '$suite' >'$root/etc/apt/sources.list'
        printf 'path-exclude /usr/share/man/*\npath-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n' >'$root/etc/dpkg/dpkg.cfg.d/docker'
        tar -C '$root' -c ." | docker import --change 'CMD ["bash"]' - "$BASE" >/dev/null
    as_root rm -rf "$root"
    docker run --rm --network none "$BASE" true
}

step "docker.io and debootstrap" install_missing
step "engine" start_engine
step "base image $BASE" make_base
say "engine: ready ($(docker version --format '{{.Server.Version}}'), $BASE $(docker image inspect --format '{{.Size}}' "$BASE" | awk '{printf "%.0f MB", $1/1e6}'))"
