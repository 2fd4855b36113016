#!/bin/sh
# The image sync-test:local: Debian with systemd and sqlite3, in which the packaging tests play the recorder and
# look at the receiver's rows. Rebuilt only when this file changes.
set -eu
. "$(dirname -- "$0")/lib.sh"
make() {
    quietly env DOCKER_BUILDKIT=0 docker build -t sync-test:local - <<'END'
FROM sync-build-base:local
RUN set -eu; \
    echo 'Acquire::Retries "5";' >/etc/apt/apt.conf.d/retries; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd systemd-sysv dbus sqlite3 ca-certificates; \
    rm -rf /var/lib/apt/lists/*
ENV container=docker
STOPSIGNAL SIGRTMIN+3
END
}
step "image for the tests" retry make
