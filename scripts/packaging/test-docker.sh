#!/bin/sh
# Builds the images and tries them: the uploader against the receiver in a second container, on a network of their own.
#
#   scripts/packaging/test-docker.sh [ARCH...]     also builds the uploader's image for these (arm64, arm)
#
# The variables of images.sh apply; KEEP_IMAGES=1 takes the images as they are. Last line: "docker: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
if [ -z "${KEEP_IMAGES:-}" ]; then
    "$ROOT/scripts/packaging/images.sh"
    [ $# -eq 0 ] || "$ROOT/scripts/packaging/images.sh" "$@"
fi
"$ROOT/scripts/packaging/test-image.sh"

T=sync-try-$$
net=$T data=$T-data store=$T-store
# shellcheck disable=SC2317,SC2329
clean() {
    docker ps -aq --filter "label=$T" | xargs -r docker rm -f >/dev/null 2>&1 || true
    [ ! -e "/tmp/$T.env" ] || fleet down -v >/dev/null 2>&1 || true
    rm -f "/tmp/$T.env"
    docker volume rm -f "$data" "$store" "$T-root" "$T-fresh" >/dev/null 2>&1 || true
    docker network rm "$net" >/dev/null 2>&1 || true
}
trap clean EXIT
trap 'exit 130' INT TERM

run() { docker run --label "$T" "$@"; }
as() { # as UID VOLUME COMMAND...
    who=$1
    volume=$2
    shift 2
    run -i --rm --network none --user "$who" -v "$volume:/data:nocopy" -w /data sync-test:local "$@"
}
recorder() { as 1000:1000 "$data" sqlite3 -cmd '.timeout 5000' surveillance.db "$@"; }
received() { as 1000:1000 "$store" sqlite3 -readonly receiver.db "$1"; }
uploader() { run --read-only --network "$net" -v "$data:/data:nocopy" -e BACKEND_URL="http://$T-backend:8000" "$@"; }
health() { docker inspect --format '{{.State.Health.Status}}' "$1"; }
healthy_is() { [ "$(health "$1")" = "$2" ]; }
logs_have() { docker logs "$1" 2>&1 | grep -qF "$2"; }

# The program of an image is that of the packages, built elsewhere: same commit, same bytes.
same_program() { # same_program IMAGE TRIPLE PROGRAM
    id=$(docker create --label "$T" "$1" 2>/dev/null) &&
        docker cp "$id:/usr/bin/$3" - | tar -xO | cmp - "target/arm/$2/release/$3"
    status=$?
    docker rm "$id" >/dev/null
    return $status
}
if [ -n "${BUILT:-}" ]; then
    check "the uploader's program is the package's, byte for byte" same_program sync-service:latest x86_64-unknown-linux-gnu sync-service
    check "the receiver's program is the package's, byte for byte" same_program sync-receiver:latest x86_64-unknown-linux-gnu sync-receiver
fi

# The image itself.
size=$(docker image inspect --format '{{.Size}}' sync-service:latest)
say "size of sync-service:latest: $(awk "BEGIN {printf \"%.1f\", $size/1e6}") MB, sync-receiver:latest: $(docker image inspect --format '{{.Size}}' sync-receiver:latest | awk '{printf "%.1f", $1/1e6}') MB"
check "the image is smaller than 20 MB" [ "$size" -lt 20000000 ]
check "runs as uid 1000" is "$(docker image inspect --format '{{.Config.User}}' sync-service:latest)" 1000:1000
check "stops by SIGTERM" is "$(docker image inspect --format '{{.Config.StopSignal}}' sync-service:latest)" SIGTERM
check "health check without a shell" is "$(docker image inspect --format '{{json .Config.Healthcheck.Test}}' sync-service:latest)" \
    '["CMD","/usr/bin/sync-service","status","--health"]'
for variable in LOCAL_DB_PATH=/data/surveillance.db BACKEND_URL=http://backend:8000 SYNC_INTERVAL_MINUTES=5 \
    DEVICE_ID=raspberry-1 SYNC_MODE=continuous; do
    check "default $variable" sh -c "docker image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' sync-service:latest | grep -qxF '$variable'"
done
has_shell() { run --rm --entrypoint /bin/sh sync-service:latest -c true >/dev/null 2>&1; }
check "no shell in the image" not has_shell
check "--version, read-only, without a network" run --rm --read-only --network none sync-service:latest --version

# A receiver, and a recorder's database owned by uid 1000.
docker network create --internal "$net" >/dev/null
docker volume create --label "$T" "$data" >/dev/null
docker volume create --label "$T" "$store" >/dev/null
as 0 "$data" chown 1000:1000 /data
recorder_sql | as 1000:1000 "$data" sqlite3 surveillance.db
run -d --name "$T-backend" --network "$net" --read-only -v "$store:/data" --health-interval 1s sync-receiver:latest >/dev/null
check "the receiver becomes healthy" within 30 healthy_is "$T-backend" healthy

# once.
status=0
uploader --rm -e SYNC_MODE=once sync-service:latest >"/tmp/$T.out" 2>&1 || status=$?
check "once: exit status 0" is "$status" 0
check "once: says what it did" grep -q 'Événements synchronisés :  20 ' "/tmp/$T.out"
check "once: prints the statistics" grep -q 'evenement    - success :   20' "/tmp/$T.out"
[ "$FAILED" -eq 0 ] || cat "/tmp/$T.out"
rm -f "/tmp/$T.out"
check "20 events arrived" is "$(received 'SELECT count(*), count(DISTINCT date) FROM evenement')" '20|20'
check "3 clips arrived whole" is "$(received 'SELECT group_concat(size_bytes) FROM (SELECT size_bytes FROM media ORDER BY size_bytes)')" 300000,900001,2000000
check "by the device's name" is "$(received 'SELECT DISTINCT device_id FROM evenement')" raspberry-1

# continuous: new rows, health, stop.
uploader -d --name "$T-up" -e SYNC_INTERVAL_MINUTES=0.02 --health-interval 2s --health-retries 1 --health-start-period 0s \
    sync-service:latest >/dev/null
check "becomes healthy" within 30 healthy_is "$T-up" healthy
recorder "INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-18T18:00:00.5', 2)"
check "a new event arrives" within 20 gives 21 received 'SELECT count(*) FROM evenement'
as 1000:1000 "$data" mv surveillance.db elsewhere.db
check "becomes unhealthy when the database goes away" within 30 healthy_is "$T-up" unhealthy
as 1000:1000 "$data" mv elsewhere.db surveillance.db
check "becomes healthy when it is back" within 60 healthy_is "$T-up" healthy
recorder "INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-18T18:01:00.5', 2)"
check "and goes on uploading" within 60 gives 22 received 'SELECT count(*) FROM evenement'
start=$(date +%s%N)
docker stop -t 10 "$T-up" >/dev/null
took=$((($(date +%s%N) - start) / 1000000))
say "docker stop took $took ms"
check "docker stop in less than 3 s" [ "$took" -lt 3000 ]
check "exit status 0 after docker stop" is "$(docker inspect --format '{{.State.ExitCode}}' "$T-up")" 0
check "statistics printed at the stop" logs_have "$T-up" 'evenement    - success :   22'
check "each row arrived once" is "$(received 'SELECT count(*), count(DISTINCT date) FROM evenement')" '22|22'

# Before the database exists: it waits, then uploads. In a fresh volume, which belongs to the image's user.
docker volume create --label "$T" "$T-fresh" >/dev/null
run -d --read-only --network "$net" --name "$T-early" -v "$T-fresh:/data" -e BACKEND_URL="http://$T-backend:8000" \
    -e DEVICE_ID=early -e SYNC_INTERVAL_MINUTES=0.02 sync-service:latest >/dev/null
sleep 2
check "waits for a database that is not there" is "$(docker inspect --format '{{.State.Running}}' "$T-early")" true
recorder_sql | as 1000:1000 "$T-fresh" sqlite3 new.db
as 1000:1000 "$T-fresh" mv new.db surveillance.db
check "uploads once it is" within 60 gives '20|3' received \
    "SELECT (SELECT count(*) FROM evenement WHERE device_id = 'early'), (SELECT count(*) FROM media WHERE device_id = 'early')"
docker rm -f "$T-early" >/dev/null

# What goes wrong is told.
docker volume create --label "$T" "$T-root" >/dev/null
recorder_sql | as 0 "$T-root" sqlite3 surveillance.db
as 0 "$T-root" chown -R 0:0 /data
status=0
told=$(run --rm --read-only --network none -v "$T-root:/data:nocopy" sync-service:latest 2>&1 >/dev/null) || status=$?
say "     $told"
check "a database of root's: exit status 2" is "$status" 2
check "a database of root's: says so" sh -c 'case $1 in *"accessible en écriture"*|*"droit"*) ;; *) exit 1 ;; esac' - "$told"
as 0 "$T-root" chown 1000:1000 /data/surveillance.db
status=0
told=$(run --rm --read-only --network none -v "$T-root:/data:nocopy" sync-service:latest 2>&1 >/dev/null) || status=$?
say "     $told"
check "a folder of root's: exit status 2" is "$status" 2
check "a folder of root's: says so" sh -c 'case $1 in *écrire*|*"lecture seule"*droits*) ;; *) exit 1 ;; esac' - "$told"
status=0
told=$(uploader --rm -e SYNC_MODE=twice sync-service:latest 2>&1 >/dev/null) || status=$?
say "     $told"
check "a wrong setting: exit status 2" is "$status" 2
check "a wrong setting: named" sh -c 'case $1 in *SYNC_MODE*twice*once*) ;; *) exit 1 ;; esac' - "$told"

# The fleet's file. The images of others can't be had everywhere: the receivers alone, whose database is away.
docker compose version >/dev/null 2>&1 || have docker-compose || apt_install docker-compose
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }
fleet() { compose -p "$T" --env-file "/tmp/$T.env" -f compose.fleet.yaml "$@"; }
sed 's/^SITE=$/SITE=:80/; s/PASSWORD=$/PASSWORD=0123456789abcdef/' compose/fleet.env.sample >"/tmp/$T.env"
check "compose.fleet.yaml is sound" fleet config --quiet
check "and refused without its passwords" not compose --env-file compose/fleet.env.sample -f compose.fleet.yaml config --quiet
check "its receivers start" quietly fleet up -d --no-build receiver-1 receiver-2
turned_away() { # turned_away SERVICE: by 503 with Retry-After
    address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(fleet ps -q "$1")") &&
        python3 - "http://$address:8000" <<'PYTHON'
import sys, urllib.error, urllib.request
event = b'{"date":"2025-12-18T18:00:00","capteur":{"id":1,"nom":"Porte","etat":1},"device_id":"pi","source":"sync_service"}'
for path, body in (("/ready", None), ("/api/evenements", event)):
    request = urllib.request.Request(sys.argv[1] + path, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10)
        sys.exit(f"{path}: taken")
    except urllib.error.HTTPError as answer:
        if answer.code != 503 or not answer.headers["Retry-After"]:
            sys.exit(f"{path}: {answer.code} {answer.headers}")
PYTHON
}
for service in receiver-1 receiver-2; do
    check "$service without a database: 503 with Retry-After" within 30 turned_away "$service"
done
fleet down -v >/dev/null 2>&1 || true

# Images for other machines: only looked at, they do not run here.
for arch; do
    case $arch in
        arm64) machine=AArch64 triple=aarch64-unknown-linux-gnu ;;
        arm) machine=ARM triple=armv7-unknown-linux-gnueabihf ;;
        *) machine=X86-64 triple=x86_64-unknown-linux-gnu ;;
    esac
    id=$(docker create --label "$T" "sync-service:$arch" 2>/dev/null)
    docker cp "$id:/usr/bin/sync-service" - | tar -xO >"/tmp/$T.elf"
    docker rm "$id" >/dev/null
    code=$(od -An -j18 -N2 -tu2 "/tmp/$T.elf" | tr -d ' ')
    rm -f "/tmp/$T.elf"
    case $code in 183) is_for=AArch64 ;; 40) is_for=ARM ;; 62) is_for=X86-64 ;; *) is_for=$code ;; esac
    say "size of sync-service:$arch: $(docker image inspect --format '{{.Size}}' "sync-service:$arch" | awk '{printf "%.1f", $1/1e6}') MB"
    check "the image for $arch is for $machine" is "$is_for" "$machine"
    [ -z "${BUILT:-}" ] ||
        check "its program is the package's, byte for byte" same_program "sync-service:$arch" "$triple" sync-service
done

verdict docker
