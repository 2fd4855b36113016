#!/bin/sh
# Boots the units for real, in a container with systemd: waits, uploads, is killed, hangs, stops, is timed.
#
#   scripts/packaging/test-systemd.sh
#
# The variables of images.sh apply; KEEP_IMAGES=1 takes the images as they are. Last line: "systemd: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
. scripts/packaging/machine.sh
[ -n "${KEEP_IMAGES:-}" ] || scripts/packaging/images.sh
scripts/packaging/test-image.sh

restarts_over() { [ "$(prop sync-service NRestarts)" -gt "$1" ]; }
drop_in() { # drop_in UNIT NAME, text on standard input
    inside sh -c "mkdir -p /etc/systemd/system/$1.d && cat >/etc/systemd/system/$1.d/$2.conf && systemctl daemon-reload"
}
make_database() {
    recorder_sql |
        as_recorder sh -c "sqlite3 /data/new.db && chmod g+w /data/new.db && mv /data/new.db /data/surveillance.db"
}

step "boot" machine_boot
say "$(inside systemctl --version | head -n 1)"

# Installed as docs/install-systemd.md says.
install_files() {
    machine_program sync-service || return 1
    tar -C systemd -c sync-service.service sync-service-once.service sync-service-once.timer sync-receiver.service |
        inside tar -C /etc/systemd/system --no-same-owner -x
    inside mkdir -p /etc/sync-service
    inside sh -c 'cat >/etc/sync-service/sync-service.env' <systemd/sync-service.env
    inside sh -euc '
        useradd --system --user-group --no-create-home --shell /usr/sbin/nologin sync-service
        usermod -aG recorder sync-service
        echo BACKEND_URL=http://127.0.0.1:8000 >>/etc/sync-service/sync-service.env
        echo SYNC_INTERVAL_MINUTES=0.05 >>/etc/sync-service/sync-service.env
        systemctl daemon-reload'
}
step "a recorder" machine_recorder 2775
step "a receiver" machine_receiver
step "install" install_files

# The units themselves.
verify=$(inside systemd-analyze verify --man=no sync-service.service sync-service-once.service sync-service-once.timer sync-receiver.service 2>&1) || verify="$verify failed"
check "systemd-analyze verify has nothing to say" is "$verify" ""
for unit in sync-service sync-service-once sync-receiver; do
    exposure=$(inside systemd-analyze security --no-pager "$unit.service" | sed -n 's/.*exposure level.*: *\([0-9.]*\) .*/\1/p')
    say "exposure of $unit.service: $exposure"
    check "exposure of $unit.service is at most 2.0" awk "BEGIN { exit !(\"$exposure\" != \"\" && $exposure + 0 <= 2.0) }"
done

# Before the database.
inside systemctl start sync-service
check "is ready before the database exists" prop_is sync-service ActiveState active
check "says what it waits for" within 5 journal_has 'Base de données absente: /data/surveillance.db'
check "runs as sync-service" is "$(inside stat -c %U "/proc/$(prop sync-service MainPID)")" sync-service
for unit in sync-service sync-service-once; do
    # Best-effort (2), its lowest priority; never idle (3), which may get no turn at all while it holds a lock.
    gives_way="$(prop "$unit" Nice) $(prop "$unit" IOSchedulingClass) $(prop "$unit" IOSchedulingPriority)"
    check "$unit gives way to the recorder" is "$gives_way" "10 2 7"
done
make_database
check "uploads the events" within 60 gives 20 events
check "uploads the clips" within 30 gives 3 received 'SELECT count(*) FROM media'
check "the journal has its report" within 10 journal_has 'Événements synchronisés :  20 '
check "systemctl status has a sentence" within 10 sh -c "docker exec $MACHINE systemctl show -P StatusText sync-service | grep -q 'prochaine passe'"
check "the recorder can still write" event 2025-12-19T01:00:00
check "and what it writes arrives" within 20 arrived 2025-12-19T01:00:00

# kill -9. (The tests need not wait as long as the unit does.)
printf '[Service]\nRestartSec=1\nWatchdogSec=10\n' | drop_in sync-service.service test
inside systemctl restart sync-service
before=$(prop sync-service NRestarts)
inside sh -c "kill -9 $(prop sync-service MainPID)"
event 2025-12-19T02:00:00
check "is started again after kill -9" within 20 restarts_over "$before"
check "and goes on uploading" within 20 arrived 2025-12-19T02:00:00

# The watchdog: quiet while there is nothing to do, awake when the process hangs.
before=$(prop sync-service NRestarts)
sed_interval() { inside sed -i "s/^SYNC_INTERVAL_MINUTES=.*/SYNC_INTERVAL_MINUTES=$1/" /etc/sync-service/sync-service.env; }
sed_interval 60
inside systemctl restart sync-service
before=$(prop sync-service NRestarts)
# Twice its time and more.
sleep 22
check "no watchdog while it waits for the next pass" prop_is sync-service NRestarts "$before"
sed_interval 0.05
inside sh -c "kill -STOP $(prop sync-service MainPID)"
event 2025-12-19T03:00:00
check "a hang ends by the watchdog" within 40 restarts_over "$before"
check "which the journal tells" journal_has 'Watchdog timeout'
check "and it goes on uploading" within 30 arrived 2025-12-19T03:00:00

# Stop.
start=$(date +%s%N)
inside systemctl stop sync-service
took=$((($(date +%s%N) - start) / 1000000))
say "systemctl stop took $took ms"
check "stops in less than 3 s" [ "$took" -lt 3000 ]
check "stops cleanly" is "$(prop sync-service Result) $(prop sync-service ExecMainStatus) $(prop sync-service ActiveState)" "success 0 inactive"
check "with the statistics in the journal" journal_has 'evenement    - success :   23'

# A disk at /data that comes late: the service is up already.
inside mv /data/surveillance.db /data/first.db
inside systemctl start sync-service
sleep 1
inside sh -c 'mount -t tmpfs -o mode=2775,uid=1000,gid=1000 tmpfs /data'
make_database
check "uploads from a disk that was mounted late" within 60 gives 43 events
check "no restart was needed for it" prop_is sync-service NRestarts 0
inside systemctl stop sync-service
inside umount /data
inside mv /data/first.db /data/surveillance.db

# No /data at all at the start: restarted into one that can be written.
inside mv /data /elsewhere
inside systemctl start sync-service
sleep 1
inside mv /elsewhere /data
event 2025-12-19T04:00:00
check "uploads when the folder itself came late" within 30 arrived 2025-12-19T04:00:00
inside systemctl stop sync-service

# A wrong setting is told, and cured without touching the service.
inside sh -c 'echo SYNC_MODE=twice >>/etc/sync-service/sync-service.env'
inside systemctl start sync-service 2>/dev/null || true
check "a wrong setting is in the journal" within 10 journal_has 'SYNC_MODE="twice"'
inside sed -i '/^SYNC_MODE=twice/d' /etc/sync-service/sync-service.env
event 2025-12-19T05:00:00
check "cured by correcting the file" within 30 arrived 2025-12-19T05:00:00

# A token from a credential.
inside sh -euc 'echo "raspberry-1 s3cret-token" >/srv/tokens; umask 077; echo s3cret-token >/etc/sync-service/token
    systemctl stop receiver; systemctl reset-failed receiver 2>/dev/null || true
    systemd-run -q --unit receiver -E RECEIVER_DATA=/srv/receiver -E RECEIVER_TOKENS_FILE=/srv/tokens sync-receiver'
event 2025-12-19T06:00:00
sleep 5

check "a server that wants a token refuses without one" not arrived 2025-12-19T06:00:00
printf '[Service]\nLoadCredential=token:/etc/sync-service/token\nEnvironment=BACKEND_TOKEN_FILE=%%d/token\n' | drop_in sync-service.service token
inside systemctl restart sync-service
check "the token comes as a credential" within 60 arrived 2025-12-19T06:00:00
check "the token is in no environment" is "$(inside grep -c s3cret "/proc/$(prop sync-service MainPID)/environ")" 0
# The other commands with the service's settings, as docs/operations.md says: without its token, and with it.
with_settings() {
    inside systemd-run --quiet --collect --pipe -p User=sync-service -p EnvironmentFile=/etc/sync-service/sync-service.env "$@" || true
}
# Until there is a person this machine may read, which is what `check` asks for.
inside env RECEIVER_DATA="$RECEIVED" sync-receiver user add anna --admin --no-password >/dev/null
check "check with the settings alone is told that a token is asked for" is "$(with_settings sync-service check | grep -c '8000: jeton demandé')" 1
# shellcheck disable=SC2016 # systemd fills it in
check "and with the credential that it is taken" is "$(with_settings -p LoadCredential=token:/etc/sync-service/token \
    env 'BACKEND_TOKEN_FILE=${CREDENTIALS_DIRECTORY}/token' sync-service check | grep -c 'Jeton accepté')" 1
check "and leaves no failed unit" is "$(inside systemctl list-units --failed --plain --no-legend 'run-*' | wc -l)" 0

printf '[Service]\nLoadCredential=token:/etc/sync-service/token\nEnvironment=BACKEND_TOKEN_FILE=%%d/token\n' | drop_in sync-service-once.service token

# Two at a time refuse each other; alone, once does its work.
inside systemctl start sync-service-once 2>/dev/null || true
check "once beside the running service is refused" within 5 journal_has 'Une autre instance' sync-service-once
inside systemctl stop sync-service
event 2025-12-19T07:00:00
inside systemctl start sync-service-once
check "once uploads" within 20 arrived 2025-12-19T07:00:00
check "and ends well" within 10 prop_is sync-service-once ActiveState inactive
check "once says its mode" journal_has 'Mode: Synchronisation unique' sync-service-once
inside systemctl stop receiver
event 2025-12-19T08:00:00
inside systemctl start sync-service-once 2>/dev/null || true
check "once with the server gone is a failed unit, status 1" within 30 prop_is sync-service-once ExecMainStatus 1
check "seen by systemctl --failed" within 5 prop_is sync-service-once ActiveState failed
inside systemd-run -q --unit receiver2 -E RECEIVER_DATA=/srv/receiver -E RECEIVER_TOKENS_FILE=/srv/tokens sync-receiver

# The timer: as shipped it has its jitter; for the test it comes every 3 s.
check "the timer has a jitter" is "$(prop sync-service-once.timer RandomizedDelayUSec)" 1min
inside systemctl enable --now sync-service-once.timer 2>/dev/null
check "the timer waits for its time" is "$(prop sync-service-once.timer SubState)" waiting
printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\nRandomizedDelaySec=0\nPersistent=no\n' | drop_in sync-service-once.timer test
inside systemctl restart sync-service-once.timer
event 2025-12-19T09:00:00
check "the timer fires once mode" within 30 arrived 2025-12-19T09:00:00
check "and goes on being active" sh -c "docker exec $MACHINE systemctl is-active -q sync-service-once.timer"

# The receiver's own unit, as receiver/README.md says, with its tokens as a credential.
inside sh -euc '
    useradd --system --user-group --no-create-home --shell /usr/sbin/nologin sync-receiver
    mkdir -p /etc/sync-receiver
    echo RECEIVER_LISTEN=127.0.0.1:8001 >/etc/sync-receiver/sync-receiver.env
    umask 077
    echo "raspberry-1 s3cret-token" >/etc/sync-receiver/tokens'
printf '[Service]\nLoadCredential=tokens:/etc/sync-receiver/tokens\nEnvironment=RECEIVER_TOKENS_FILE=%%d/tokens\n' | drop_in sync-receiver.service tokens
inside systemctl start sync-receiver
check "the receiver's unit is well" within 20 inside sync-receiver health http://127.0.0.1:8001
check "it runs as sync-receiver" is "$(inside stat -c %U "/proc/$(prop sync-receiver MainPID)")" sync-receiver
check "its folder is its own" is "$(inside stat -c '%a %U' /var/lib/sync-receiver)" "700 sync-receiver"
inside sed -i "s,^BACKEND_URL=.*,BACKEND_URL=http://127.0.0.1:8001," /etc/sync-service/sync-service.env
arrived_there() { [ "$(inside sqlite3 -readonly /var/lib/sync-receiver/receiver.db "SELECT count(*) FROM evenement WHERE date = '$1'")" = 1 ]; }
event 2025-12-19T10:00:00
check "and stores what the timer's runs send" within 30 arrived_there 2025-12-19T10:00:00
check "with nothing to warn about" is "$(journal sync-receiver | grep -c WARN)" 0
inside systemctl stop sync-receiver
check "it stops cleanly" is "$(prop sync-receiver Result) $(prop sync-receiver ExecMainStatus)" "success 0"

say_journal_on_failure
verdict systemd
