#!/bin/sh
# First process of a container that runs systemd: gives it a cgroup v2 hierarchy of its own, whatever the
# engine and its machine use (systemd 257 refuses cgroup v1), then becomes systemd.
set -eu
# As on a machine that booted: what is mounted later is seen by services that run already.
mount --make-rshared /
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$1"
echo 1 >"/sys/fs/cgroup/$1/cgroup.procs"
exec unshare --cgroup sh -euc '
    umount /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    exec /sbin/init --show-status=false'
