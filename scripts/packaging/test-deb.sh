#!/bin/sh
# Builds the Debian packages, lets lintian look at them, and lives through the life of the uploader's and the receiver's
# in a Debian 13 with systemd: installed, upgraded over an older build, removed, installed again, purged.
#
#   scripts/packaging/test-deb.sh [ARCH...]      (default: amd64 arm64 armhf for the uploader; amd64 is always built)
#
# The receiver's is built for amd64 alone, unless RECEIVER_ARCHES names more. The static ones are built for those of armv6
# and arm64 that STATIC_ARCHES names (default: armv6). The variables of images.sh apply. Last line: "deb: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
. scripts/packaging/machine.sh

# ── The packages ────────────────────────────────────────────────────────────────────────────────────────────────

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
older=0.0.9
[ $# -gt 0 ] || set -- amd64 arm64 armhf
RECEIVER_ARCHES=${RECEIVER_ARCHES:-amd64}
STATIC_ARCHES=$(printf '%s\n' ${STATIC_ARCHES:-armv6} | grep -x -e armv6 -e arm64 | paste -sd' ')
build() {
    sh scripts/build-deb.sh "$@" &&
        SYNC_PACKAGES=sync-receiver sh scripts/build-deb.sh $RECEIVER_ARCHES &&
        sh scripts/build-deb.sh --static $STATIC_ARCHES &&
        SYNC_PACKAGES="sync-service sync-receiver" SYNC_DEB_VERSION=$older sh scripts/build-deb.sh amd64
}
rm -rf target/deb
step "packages" build "$@"

# The older one ships another environment file, so that the upgrade meets both a change of ours and one of the user's.
change_older() {
    in_build_tree sh -euc '
        rm -rf target/deb-older
        dpkg-deb -R "$1" target/deb-older
        echo "# of the older version" >>target/deb-older/etc/sync-service/sync-service.env
        (cd target/deb-older && find . -type f ! -path "./DEBIAN/*" -printf "%P\n" | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -b target/deb-older "$1" >/dev/null' sh "target/deb/sync-service_${older}_amd64.deb"
}
step "the older package gets an environment file of its own" change_older

field() { in_build_tree dpkg-deb -f "$deb" "$1"; }
wants_no_libc() { ! field Depends | grep -q libc6; }
for deb in target/deb/*.deb; do
    name=${deb##*/}
    program=${name%%_*}
    of=${name##*_}
    [ "${name#*_"$older"_}" = "$name" ] || continue
    check "$name is of that architecture" is "$(field Architecture)" "${of%.deb}"
    in_build_tree dpkg-deb -c "$deb" | sed 's/.* \.//' >target/deb-contents
    case $program in
        sync-service) set -- /usr/lib/systemd/system/sync-service-once.service /usr/lib/systemd/system/sync-service-once.timer \
            /usr/share/bash-completion/completions/sync-service /usr/share/zsh/vendor-completions/_sync-service \
            /usr/share/fish/vendor_completions.d/sync-service.fish ;;
        *) set -- ;;
    esac
    for file in "/usr/bin/$program" "/etc/$program/$program.env" "/usr/lib/systemd/system/$program.service" \
        "/usr/lib/sysusers.d/$program.conf" "/usr/share/man/man1/$program.1.gz" "/usr/share/doc/$program/copyright" "$@"; do
        grep -qx "$file" target/deb-contents || check "$name has $file" false
    done
    # With the tags' explanations, so that a new one can be judged from the log.
    check "lintian has nothing to say about $name" in_build_tree \
        lintian --allow-root --fail-on error,warning,info --display-info --info "$deb"
    case $name in *+static_*) check "$name depends on no C library" wants_no_libc ;; esac
done
for arch in $STATIC_ARCHES; do
    case $arch in armv6) of=armhf triple=arm-unknown-linux-musleabihf ;; arm64) of=arm64 triple=aarch64-unknown-linux-musl ;; *) die "$arch" ;; esac
    in_build_tree dpkg-deb --fsys-tarfile "target/deb/sync-service_$version+static_$of.deb" | tar -xO ./usr/bin/sync-service >target/packaged
    check "the static $of package holds the program that was tested" cmp target/packaged "target/static/$triple/release/sync-service"
done

# ── The life of the packages ────────────────────────────────────────────────────────────────────────────────────

scripts/packaging/images.sh --base
scripts/packaging/test-image.sh

has() { inside test -e "$1"; }
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold "$@" >target/apt-deb.log 2>&1 || { tail -n 30 target/apt-deb.log; return 1; }; }
tracked() { recorder "SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'"; }
enabled() { inside systemctl is-enabled "$1" 2>/dev/null || true; }

step "boot" machine_boot -v "$ROOT/target/deb:/deb:ro"
step "a recorder" machine_recorder 755
recorder_sql | as_recorder sqlite3 /data/surveillance.db

# The receiver's, as docs/install-receiver.md says.
RECEIVED=/var/lib/sync-receiver
check "the receiver installs" apt install "/deb/sync-receiver_${older}_amd64.deb"
check "the receiver's user is a system user without a shell" inside sh -c 'id -u sync-receiver | awk "{ exit !(\$1 < 1000) }" && getent passwd sync-receiver | grep -q nologin'
check "the receiver's environment file is root's" is "$(inside stat -c '%U:%G %a' /etc/sync-receiver/sync-receiver.env)" "root:root 640"
check "the receiver is not started by itself" is "$(prop sync-receiver ActiveState) $(enabled sync-receiver.service)" "inactive disabled"
verify=$(inside systemd-analyze verify --man=no sync-receiver.service 2>&1) || verify="$verify failed"
check "systemd-analyze verify has nothing to say about its unit" is "$verify" ""
inside systemctl enable --now sync-receiver 2>/dev/null
check "the receiver answers" within 20 inside sync-receiver health
check "the receiver runs as sync-receiver" is "$(inside stat -c %U "/proc/$(prop sync-receiver MainPID)")" sync-receiver
check "its folder is its own" is "$(inside stat -c '%U:%G %a' $RECEIVED)" "sync-receiver:sync-receiver 700"

# The uploader's.
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

process=$(prop sync-receiver MainPID)
inside sed -i 's|^#RECEIVER_MAX_CLIP_MB=.*|RECEIVER_MAX_CLIP_MB=900|' /etc/sync-receiver/sync-receiver.env
check "the receiver upgrades" apt install "/deb/sync-receiver_${version}_amd64.deb"
check "the receiver's settings are kept" inside grep -qx 'RECEIVER_MAX_CLIP_MB=900' /etc/sync-receiver/sync-receiver.env
check "the receiver runs again" is "$(prop sync-receiver ActiveState) $(enabled sync-receiver.service)" "active enabled"
check "the receiver as another process" not is "$(prop sync-receiver MainPID)" "$process"
event 2025-12-19T01:30:00
check "the upgraded receiver takes what comes, beside what it had" within 30 gives 22 events

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
check "carries on where it was" within 30 gives 23 events

inside sh -c 'umask 077; echo secret >/etc/sync-service/token'
check "purges" apt purge sync-service
check "no settings and no token stay" not has /etc/sync-service
check "no unit stays enabled" is "$(inside find /etc/systemd/system /var/lib/systemd -name '*sync-service*')" ""
check "dpkg has forgotten it" not inside dpkg-query -W sync-service
check "the database and what was sent stay" is "$(tracked)" "$((before + 1))"
check "no file of the package stays" is "$(inside find /usr /etc /var/lib/dpkg -name '*sync-service*')" ""

check "the receiver is removed" apt remove sync-receiver
check "the receiver is stopped" is "$(prop sync-receiver ActiveState)" inactive
inside sh -c 'umask 077; echo secret >/etc/sync-receiver/tokens'
check "the receiver is purged" apt purge sync-receiver
check "no settings and no tokens stay" not has /etc/sync-receiver
check "no file of the receiver's package stays" is "$(inside find /usr /etc /var/lib/dpkg -name '*sync-receiver*')" ""
check "what was received stays" is "$(events)" 23

say_journal_on_failure
verdict deb
