#!/bin/sh
# A backup restored, on a PostgreSQL with a folder and with a bucket: rows and clips come, the database is dumped and then the clips
# are copied while a device goes on; both are restored elsewhere, and a receiver on them must know every key of the backup by its id, have
# every clip whole, go on telling what is new, and take what came after the backup once more.
# Usage: sh scripts/test-restore.sh      RECEIVER: the program; SYNC_TEST_POSTGRES, SYNC_TEST_S3: where they run already
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/postgres.sh
. scripts/lib/s3.sh

receiver=${RECEIVER:-target/debug/sync-receiver}
[ -x "$receiver" ] || die "$receiver is missing: cargo build --workspace"
have curl || die "curl is missing"
work=$(mktemp -d)
pids=
stop() {
    for pid in $pids; do kill "$pid" 2>/dev/null || :; done
    if [ -n "${own_postgres:-}" ]; then postgres_stop "$work"; fi
    if [ -n "${own_s3:-}" ]; then s3_stop; fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

postgres_or_die
postgres_url=${SYNC_TEST_POSTGRES:-}
if [ -z "$postgres_url" ]; then own_postgres=1 && postgres_start "$work" fsync=off; fi
s3_or_die
if [ -z "${SYNC_TEST_S3:-}" ]; then own_s3=1 && s3_start "$work"; else s3_bucket=$SYNC_TEST_S3; fi

sql() { "$postgres_bin/psql" -XqAt "$@"; }
is() { [ "$2" = "$3" ] || die "$1: expected '$3', got '$2'"; }

# start NAME DATABASE: a receiver on $clips; sets $at.
start() {
    receiver_start "$work/$1" env RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$clips" RECEIVER_CLIPS_URL="$bucket" \
        RECEIVER_DATABASE_URL="$postgres_url/$2" "$receiver"
    at=$receiver_url pid=$receiver_pid
    pids="$pids $pid"
    curl -sf --retry 6 --retry-all-errors "$at/ready" >/dev/null || { cat "$work/$1.log" >&2; die "$1 is not ready"; }
}
end() {
    kill "$1"
    wait "$1" || :
}
id_of() { python3 -c 'import sys, json; text = sys.stdin.read(); print(json.loads(text).get("id") or sys.exit(text))'; }
# event NUMBER, clip NUMBER: stores it under the key that the number gives, and says the id.
key() { printf '00000000-0000-4000-8000-%012d' "$1"; }
event() {
    curl -sS -H "Idempotency-Key: $(key "$1")" -H 'Content-Type: application/json' "$at/api/evenements" \
        -d "{\"date\": \"2025-12-18T18:00:00.$1\", \"capteur\": {\"id\": 3, \"nom\": \"Porte\", \"etat\": 1}, \"device_id\": \"pi\", \"source\": \"sync_service\"}" | id_of
}
video() { # video NUMBER: the clip that is sent under that number
    python3 -c 'import random, sys; n = int(sys.argv[1]); sys.stdout.buffer.write(random.Random(n).randbytes(5_000_000 if n == 100 else 60_000))' "$1"
}
clip() {
    video "$1" | python3 -c 'import base64, json, sys; print(json.dumps({
    "date": "2025-12-18T18:00:00", "capteur": {"id": 3, "nom": "Porte"}, "numero_camera": 1,
    "video_data": base64.b64encode(sys.stdin.buffer.read()).decode(), "device_id": "pi", "source": "sync_service"}))' >"$work/body"
    curl -sS -H "Idempotency-Key: $(key "$1")" -H 'Content-Type: application/json' "$at/api/media" --data-binary "@$work/body" | id_of
}
# whole ID NUMBER: the clip of that id is what was sent under that number.
whole() {
    there=$(curl -sSf "$at/api/media/$1/video" | sha256sum)
    is "clip $1" "$there" "$(video "$2" | sha256sum)"
}
# objects FROM TO: copies a bucket's prefix to another one, as `aws s3 sync` does.
objects() {
    "$s3_tools/bin/python" - "$s3_bucket" "$1/" "$2/" <<'PYTHON'
import boto3, os, sys
bucket = boto3.resource("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).Bucket(sys.argv[1])
for thing in bucket.objects.filter(Prefix=sys.argv[2]):
    bucket.copy({"Bucket": bucket.name, "Key": thing.key}, sys.argv[3] + thing.key[len(sys.argv[2]):])
PYTHON
}

restore() { # restore folder|bucket
    name=restore_$1_$$
    clips=$work/$1 bucket=
    [ "$1" = folder ] || bucket=s3://$s3_bucket/$name
    sql "$postgres_url/postgres" -c "CREATE DATABASE $name" -c "CREATE DATABASE ${name}_new"
    start "$1" "$name"
    before=
    for number in $(seq 20); do before="$before $(event "$number")"; done
    for number in $(seq 100 104); do before="$before $(clip "$number")"; done

    # The database first; what comes between the two is a clip without its row.
    "$postgres_bin/pg_dump" -Fc -f "$work/$1.dump" "$postgres_url/$name"
    event 21 >/dev/null
    clip 105 >/dev/null
    if [ "$1" = folder ]; then
        mkdir "$work/copy" && cp -a "$clips/clips" "$work/copy/"
    else
        objects "$name" "${name}_new"
    fi
    end "$pid"

    "$postgres_bin/pg_restore" --no-owner -d "$postgres_url/${name}_new" "$work/$1.dump"
    clips=$work/$1-new
    if [ "$1" = folder ]; then clips=$work/copy; else bucket=s3://$s3_bucket/${name}_new; fi
    start "$1-new" "${name}_new"
    curl -sSN "$at/api/live" >"$work/$1.live" 2>/dev/null &
    pids="$pids $!"
    again=
    for number in $(seq 20); do again="$again $(event "$number")"; done
    for number in $(seq 100 104); do again="$again $(clip "$number")"; done
    is "ids of known keys, restored with a $1" "$again" "$before"
    for number in $(seq 5); do
        whole "$(printf '%s' "$again" | awk "{print \$(20 + $number)}")" $((99 + number))
    done
    # What came after the backup is stored as new when its device sends it again, its clip beside the copy's.
    late=$(event 21)
    whole "$(clip 105)" 105
    tries=0
    until grep -q "\"id\":${late}[,}]" "$work/$1.live"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$work/$1.live" >&2; die "the live stream does not go on after a restore with a $1"; }
        sleep 0.1
    done
    is "rows" "$(sql "$postgres_url/${name}_new" -c 'SELECT (SELECT count(*) FROM evenement), (SELECT count(*) FROM media)')" '21|6'
    end "$pid"
    sql "$postgres_url/postgres" -c "DROP DATABASE $name" -c "DROP DATABASE ${name}_new"
    say "restored with a $1: 25 keys have their ids, 5 clips are whole, live goes on, what came after the dump is taken again"
}
restore folder
restore bucket
