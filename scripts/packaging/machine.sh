# shellcheck shell=sh
# Sourced after lib.sh: a container that boots systemd as a Pi would, with a recorder's user and a receiver, and words to
# speak with it. Its name is $MACHINE; it goes when the script ends.

MACHINE=sync-machine-$$
machine_options="--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --network none
    --tmpfs /run --tmpfs /tmp -v $ROOT/scripts/packaging/boot.sh:/boot.sh:ro"

# shellcheck disable=SC2317,SC2329
machine_remove() {
    docker rm -f "$MACHINE" >/dev/null 2>&1 || true
    # Its cgroup, where the engine does not know of it.
    # shellcheck disable=SC2086
    docker run --rm $machine_options sync-test:local sh -c "umount -R /sys/fs/cgroup; mount -t cgroup2 c /sys/fs/cgroup
        find /sys/fs/cgroup/$MACHINE -depth -type d -exec rmdir {} +" >/dev/null 2>&1 || true
}
trap machine_remove EXIT
trap 'exit 130' INT TERM

inside() { docker exec -i "$MACHINE" "$@"; }
prop() { inside systemctl show -P "$2" "$1"; }
prop_is() { [ "$(prop "$1" "$2")" = "$3" ]; }
journal() { inside journalctl --no-pager -o cat -u "${1:-sync-service}"; }
journal_has() { journal "${2:-sync-service}" | grep -qF "$1"; }
as_recorder() { inside setpriv --reuid recorder --regid recorder --init-groups "$@"; }
recorder() { as_recorder sqlite3 -cmd '.timeout 5000' /data/surveillance.db "$@"; }
event() { recorder "INSERT INTO evenement (date, id_capteur) VALUES ('$1', 2)"; }
RECEIVED=/srv/receiver
received() { inside sqlite3 -readonly "$RECEIVED/receiver.db" "$1"; }
events() { received 'SELECT count(*) FROM evenement'; }
arrived() { [ "$(received "SELECT count(*) FROM evenement WHERE date = '$1'")" = 1 ]; }

# machine_boot [DOCKER OPTION...]
machine_boot() {
    # shellcheck disable=SC2086
    docker run -d --name "$MACHINE" $machine_options "$@" sync-test:local /boot.sh "$MACHINE" >/dev/null
    booted() { case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac }
    within 60 booted || { docker logs "$MACHINE" >&2; return 1; }
}

# machine_program IMAGE...: the program of an image of ours.
machine_program() {
    for program; do
        id=$(docker create "$program:latest") &&
            docker cp "$id:/usr/bin/$program" - | docker cp - "$MACHINE:/usr/bin" &&
            docker rm "$id" >/dev/null &&
            inside chown root:root "/usr/bin/$program" || return 1
    done
}

# machine_recorder MODE: a recorder's user with the folder /data.
machine_recorder() {
    inside sh -euc '
        useradd --uid 1000 --user-group recorder
        install -d -o recorder -g recorder -m "$1" /data' sh "$1"
}

# The image's receiver on port 8000.
machine_receiver() {
    machine_program sync-receiver &&
        inside systemd-run -q --unit receiver -p Restart=always -E RECEIVER_DATA="$RECEIVED" sync-receiver
}

say_journal_on_failure() {
    [ "$FAILED" -eq 0 ] || {
        journal | tail -n 60
        inside systemctl status --no-pager sync-service || true
    } >&2
}
