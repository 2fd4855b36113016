#!/bin/sh
# Builds the Debian packages for amd64, arm64 and armhf, lets lintian look at them, and lives through the life of one
# in a Debian 13 with systemd: installed, upgraded over an older build, removed, installed again, purged.
#
#   scripts/packaging/test-deb.sh
#
# The variables of images.sh apply. Last line: "deb: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
. scripts/packaging/machine.sh

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

# ── The life of a package ───────────────────────────────────────────────────────────────────────────────────────

step "images" scripts/packaging/images.sh
scripts/packaging/test-image.sh

has() { inside test -e "$1"; }
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold "$@" >target/apt-deb.log 2>&1 || { tail -n 30 target/apt-deb.log; return 1; }; }
tracked() { recorder "SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'"; }
enabled() { inside systemctl is-enabled "$1" 2>/dev/null || true; }

step "boot" machine_boot -v "$ROOT/target/deb:/deb:ro"
step "a recorder and a receiver" machine_furnish 755
as_recorder sqlite3 /data/surveillance.db <scripts/packaging/recorder.sql

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
check "uploads through the group of the database" within 60 gives 20 events

process=$(prop sync-service MainPID)
check "upgrades" apt install "/deb/sync-service_${version}_amd64.deb"
check "to the new version" is "$(inside dpkg-query -W -f '${Version}' sync-service)" "$version"
check "the settings are kept" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
check "and their mode" is "$(inside stat -c '%U:%G %a' /etc/sync-service/sync-service.env)" "root:root 640"
check "the new example lies beside them" has /etc/sync-service/sync-service.env.dpkg-dist
check "the service runs again" is "$(prop sync-service ActiveState) $(enabled sync-service.service)" "active enabled"
check "as another process" not is "$(prop sync-service MainPID)" "$process"
event 2025-12-19T01:00:00
check "and uploads" within 30 gives 21 events
before=$(tracked)

check "removes" apt remove sync-service
check "the program is gone" not has /usr/bin/sync-service
check "the service is stopped" is "$(prop sync-service ActiveState)" inactive
check "the settings stay" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
check "the database stays as it is" is "$(tracked)" "$before"

check "installs again" apt install "/deb/sync-service_${version}_amd64.deb"
check "with the settings that stayed" inside grep -qx 'BACKEND_URL=http://127.0.0.1:8000' /etc/sync-service/sync-service.env
inside systemctl enable --now sync-service 2>/dev/null
event 2025-12-19T02:00:00
check "carries on where it was" within 30 gives 22 events

inside sh -c 'umask 077; echo secret >/etc/sync-service/token'
check "purges" apt purge sync-service
check "no settings and no token stay" not has /etc/sync-service
check "no unit stays enabled" is "$(inside find /etc/systemd/system /var/lib/systemd -name '*sync-service*')" ""
check "dpkg has forgotten it" not inside dpkg-query -W sync-service
check "the database and what was sent stay" is "$(tracked)" "$((before + 1))"
check "no file of the package stays" is "$(inside find /usr /etc /var/lib/dpkg -name '*sync-service*')" ""

say_journal_on_failure
verdict deb
