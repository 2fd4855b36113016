#!/bin/sh
# Installs the static armhf package in older Debian systems for 32-bit Arm, under emulation, and lets it do a pass there.
#
#   scripts/packaging/test-older.sh [SUITE...]      (default: bookworm bullseye)
#
# Takes target/deb/sync-service_<version>+static_armhf.deb, building it where it is missing. Debian's armhf stands in for
# Raspberry Pi OS's, whose packages are its own; the program itself runs as on the processor of a Pi Zero. The kernel must know
# emulators by the programs they are for (binfmt_misc). Last line: "older: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || set -- bookworm bullseye
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
deb=target/deb/sync-service_$version+static_armhf.deb
[ -e "$deb" ] || step "package" sh scripts/build-deb.sh --static armv6
apt_install mmdebstrap arch-test debian-archive-keyring qemu-user-static sqlite3
[ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-arm ] || cat /usr/lib/binfmt.d/qemu-arm.conf >/proc/sys/fs/binfmt_misc/register
[ -x target/debug/sync-receiver ] || cargo build --quiet --workspace --locked

receiver=
work=$(mktemp -d)
trap '[ -z "$receiver" ] || kill "$receiver"; rm -rf "$work"' EXIT
RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA=$work/received target/debug/sync-receiver >"$work/receiver.log" &
receiver=$!
within 20 grep -q 'listening on' "$work/receiver.log"
url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$work/receiver.log")

for suite; do
    tree=$work/$suite
    make_tree() {
        rm -rf "$tree"
        quietly mmdebstrap --variant=minbase --architectures=armhf --include=systemd "$suite" "$tree" "$(debian_mirror)"
    }
    step "Debian $suite for armhf" retry make_tree
    cp "$deb" "$tree/static.deb"
    in_suite() { chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
    # Made beforehand: systemd-sysusers asks for what the emulator lacks. That the package makes it is test-deb.sh's affair.
    in_suite useradd --system --user-group --no-create-home --shell /usr/sbin/nologin sync-service
    check "installs on $suite, with nothing else" quietly in_suite dpkg --install /static.deb
    mkdir "$tree/data"
    recorder_sql | sqlite3 "$tree/data/surveillance.db"
    check "sends everything ($suite)" quietly in_suite QEMU_CPU=arm1176 DEVICE_ID="$suite" SYNC_MODE=once BACKEND_URL="$url" sync-service
    check "which arrives ($suite)" is "$(sqlite3 -readonly "$work/received/receiver.db" \
        "SELECT (SELECT count(*) FROM evenement WHERE device_id = '$suite') || ' ' || (SELECT count(*) FROM media WHERE device_id = '$suite')")" "20 3"
    check "purges ($suite)" quietly in_suite dpkg --purge sync-service
done

verdict older
