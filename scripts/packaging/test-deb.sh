#!/bin/sh
# Builds the Debian packages for amd64, arm64 and armhf, lets lintian look at them, and lives through the life of one
# in a Debian 13 with systemd: installed, upgraded over an older build, removed, installed again, purged.
#
#   scripts/packaging/test-deb.sh
#
# The variables of images.sh apply. Last line: "deb: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
cd "$ROOT"
. scripts/lib/common.sh
. scripts/lib/trixie.sh

T=sync-deb-$$
boot_options="--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --network none
    --tmpfs /run --tmpfs /tmp -v $ROOT/scripts/packaging/boot.sh:/boot.sh:ro -v $ROOT/target/deb:/deb:ro"
# shellcheck disable=SC2317,SC2329
clean() {
    docker rm -f "$T" >/dev/null 2>&1 || true
    # Its cgroup, where the engine does not know of it.
    # shellcheck disable=SC2086
    docker run --rm $boot_options sync-test:local sh -c "umount -R /sys/fs/cgroup; mount -t cgroup2 c /sys/fs/cgroup
        find /sys/fs/cgroup/$T -depth -type d -exec rmdir {} +" >/dev/null 2>&1 || true
}
trap clean EXIT
trap 'exit 130' INT TERM

is() { [ "$1" = "$2" ] || { say "     got: $1, not: $2"; return 1; }; }
not() { ! "$@" >/dev/null 2>&1; }

# ── The packages ────────────────────────────────────────────────────────────────────────────────────────────────

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
older=0.0.9
build() { sh scripts/build-deb.sh && SYNC_DEB_VERSION=$older sh scripts/build-deb.sh amd64; }
rm -rf target/deb
step "packages" build
deb() { say "target/deb/sync-service_${2:-$version}_$1.deb"; }

# The older one ships another environment file, so that the upgrade meets both a change of ours and one of the user's.
change_older() {
    in_build_tree sh -euc '
        rm -rf target/deb-older
        dpkg-deb -R "$1" target/deb-older
        echo "# of the older version" >>target/deb-older/etc/sync-service/sync-service.env
        (cd target/deb-older && find . -type f ! -path "./DEBIAN/*" -printf "%P\n" | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -b target/deb-older "$1" >/dev/null' sh "$(deb amd64 "$older")"
}
step "the older package gets an environment file of its own" change_older

contents() { in_build_tree dpkg-deb -c "$(deb "$1")" | sed 's/.* \.//'; }
for arch in amd64 arm64 armhf; do
    check "the $arch package is of that architecture" is "$(in_build_tree dpkg-deb -f "$(deb "$arch")" Architecture)" "$arch"
    contents "$arch" >target/deb-contents
    for file in /usr/bin/sync-service /etc/sync-service/sync-service.env /usr/lib/systemd/system/sync-service.service \
        /usr/lib/systemd/system/sync-service-once.service /usr/lib/systemd/system/sync-service-once.timer \
        /usr/lib/sysusers.d/sync-service.conf /usr/share/man/man1/sync-service.1.gz \
        /usr/share/bash-completion/completions/sync-service /usr/share/zsh/vendor-completions/_sync-service \
        /usr/share/fish/vendor_completions.d/sync-service.fish; do
        grep -qx "$file" target/deb-contents || check "the $arch package has $file" false
    done
    # With the tags' explanations, so that a new one can be judged from the log.
    check "lintian has nothing to say about $arch" in_build_tree lintian --allow-root --fail-on error,warning,info --display-info --info "$(deb "$arch")"
done

# ── What is written by hand keeps up with the program ───────────────────────────────────────────────────────────

binary=target/arm/x86_64-unknown-linux-gnu/release/sync-service
for pair in bash:sync-service zsh:_sync-service fish:sync-service.fish; do
    in_build_tree "$binary" completions "${pair%%:*}" >target/completions.new
    check "completions/${pair#*:} is what the program prints for ${pair%%:*}" cmp -s target/completions.new "completions/${pair#*:}"
done
variables=$(sed -n '/^pub const VARIABLES/,/^];/s/.*"\([A-Z][A-Z_]*\)".*/\1/p' src/config.rs)
check "the program has variables" [ -n "$variables" ]
for variable in $variables; do
    grep -q "$variable" man/sync-service.1 || check "the manual page tells of $variable" false
    grep -q "^#\{0,1\}$variable=" systemd/sync-service.env || check "the example environment has $variable" false
done

# ── The life of a package ───────────────────────────────────────────────────────────────────────────────────────

step "images" "$ROOT/scripts/packaging/images.sh"
step "image for the tests" "$ROOT/scripts/packaging/test-image.sh"

inside() { docker exec -i "$T" "$@"; }
prop() { inside systemctl show -P "$2" "$1"; }
has() { inside test -e "$1"; }
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold "$@" >target/apt-deb.log 2>&1 || { tail -n 30 target/apt-deb.log; return 1; }; }
recorder() { inside setpriv --reuid recorder --regid recorder --init-groups sqlite3 -cmd '.timeout 5000' /data/surveillance.db "$@"; }
received() { inside sqlite3 -readonly /srv/receiver/receiver.db "$1"; }
events_are() { [ "$(received 'SELECT count(*) FROM evenement')" = "$1" ]; }
tracked() { recorder "SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'"; }
enabled() { inside systemctl is-enabled "$1" 2>/dev/null || true; }

boot() {
    # shellcheck disable=SC2086
    docker run -d --name "$T" $boot_options sync-test:local /boot.sh "$T" >/dev/null
    booted() { case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac }
    within 60 booted || { docker logs "$T" >&2; return 1; }
}
step "boot" boot
prepare() {
    id=$(docker create sync-receiver:latest) &&
        docker cp "$id:/usr/bin/sync-receiver" - | docker cp - "$T:/usr/bin" &&
        docker rm "$id" >/dev/null || return 1
    inside sh -euc '
        useradd --uid 1000 --user-group recorder
        install -d -o recorder -g recorder /data
        systemd-run -q --unit receiver -E RECEIVER_DATA=/srv/receiver sync-receiver'
    inside setpriv --reuid recorder --regid recorder --init-groups sqlite3 /data/surveillance.db <"$ROOT/scripts/packaging/recorder.sql"
}
step "a recorder and a receiver" prepare

check "installs" apt install "/deb/sync-service_${older}_amd64.deb"
check "the program runs" inside sync-service --version
check "the user is a system user without a shell" inside sh -c 'id -u sync-service | awk "{ exit !(\$1 < 1000) }" && getent passwd sync-service | grep -q nologin'
check "the environment file is root's" is "$(inside stat -c '%U:%G %a' /etc/sync-service/sync-service.env)" "root:root 640"
check "nothing is started by itself" is "$(prop sync-service ActiveState) $(prop sync-service-once.timer ActiveState)" "inactive inactive"
check "nor at the next boot" is "$(enabled sync-service.service) $(enabled sync-service-once.timer)" "disabled disabled"

# As docs/install-deb.md says.
inside sh -euc '
    usermod -aG recorder sync-service
    chgrp recorder /data /data/surveillance.db
    chmod g+rwxs /data
    chmod g+rw /data/surveillance.db
    sed -i "s|^#BACKEND_URL=.*|BACKEND_URL=http://127.0.0.1:8000|; s|^#SYNC_INTERVAL_MINUTES=.*|SYNC_INTERVAL_MINUTES=0.05|" /etc/sync-service/sync-service.env'
inside systemctl enable --now sync-service 2>/dev/null
check "uploads through the group of the database" within 60 events_are 20

process=$(prop sync-service MainPID)
check "upgrades" apt install "/deb/sync-service_${version}_amd64.deb"
check "to the new version" is "$(inside dpkg-query -W -f '${Version}' sync-service)" "$version"
check "the settings are kept" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
check "and their mode" is "$(inside stat -c '%U:%G %a' /etc/sync-service/sync-service.env)" "root:root 640"
check "the new example lies beside them" has /etc/sync-service/sync-service.env.dpkg-dist
check "the service runs again" is "$(prop sync-service ActiveState) $(enabled sync-service.service)" "active enabled"
check "as another process" not is "$(prop sync-service MainPID)" "$process"
recorder "INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-19T01:00:00', 2)"
check "and uploads" within 30 events_are 21
before=$(tracked)

check "removes" apt remove sync-service
check "the program is gone" not has /usr/bin/sync-service
check "the service is stopped" is "$(prop sync-service ActiveState)" inactive
check "the settings stay" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
check "the database stays as it is" is "$(tracked)" "$before"

check "installs again" apt install "/deb/sync-service_${version}_amd64.deb"
check "with the settings that stayed" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
inside systemctl enable --now sync-service 2>/dev/null
recorder "INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-19T02:00:00', 2)"
check "carries on where it was" within 30 events_are 22

inside sh -c 'umask 077; echo secret >/etc/sync-service/token'
check "purges" apt purge sync-service
check "no settings and no token stay" not has /etc/sync-service
check "no unit stays enabled" is "$(inside find /etc/systemd/system /var/lib/systemd -name '*sync-service*')" ""
check "dpkg has forgotten it" not inside dpkg-query -W sync-service
check "the database and what was sent stay" is "$(tracked)" "$((before + 1))"
check "no file of the package stays" is "$(inside find /usr /etc /var/lib/dpkg -name '*sync-service*')" ""

[ "$FAILED" -eq 0 ] || inside journalctl --no-pager -o cat -u sync-service | tail -n 40 >&2
verdict deb
