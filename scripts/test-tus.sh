#!/bin/sh
# Clients of others, tus-js-client (npm) and tuspy (PyPI), upload to our receiver, which is killed meanwhile; and the uploader
# meets a server of others, @tus/server (npm), to which it must send nothing but plain requests.
# Usage: sh scripts/test-tus.sh      (installs them into target/tus, nothing elsewhere)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

for needed in cargo node npm python3; do
    have "$needed" || die "$needed is missing: apt-get install cargo nodejs npm python3"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3-venv is missing: apt-get install python3-venv"

here=$PWD
tools=$here/target/tus
mkdir -p "$tools"
if [ ! -d "$tools/node_modules/tus-js-client" ]; then
    say "-- installing tus-js-client"
    (cd "$tools" && retry npm install --no-audit --no-fund --silent --prefix . tus-js-client@4.3.1)
fi
if [ ! -d "$tools/node_modules/@tus/server" ] || [ ! -d "$tools/node_modules/@tus/file-store" ]; then
    say "-- installing @tus/server"
    (cd "$tools" && retry npm install --no-audit --no-fund --silent --prefix . @tus/server@2.4.5 @tus/file-store@2.1.1)
fi
if ! "$tools/venv/bin/python" -c 'import tusclient' 2>/dev/null; then
    say "-- installing tuspy"
    python3 -m venv "$tools/venv"
    retry "$tools/venv/bin/pip" install --quiet --disable-pip-version-check tuspy==1.1.0
fi

cargo build --package sync-receiver --package sync-service --locked --quiet
data=$(mktemp -d)
supervisor=
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || :
    [ ! -s "$data/pid" ] || kill "$(cat "$data/pid")" 2>/dev/null || :
    rm -rf "$data"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Starts the receiver again whenever it is killed, on the port that the first one found.
supervise() {
    listen=127.0.0.1:0
    while :; do
        : >"$data/out"
        env -i RECEIVER_LISTEN="$listen" RECEIVER_DATA="$data/store" "$here/target/debug/sync-receiver" >"$data/out" 2>>"$data/log" &
        echo $! >"$data/pid.new" && mv "$data/pid.new" "$data/pid"
        while [ "$listen" = 127.0.0.1:0 ]; do
            url=$(sed -n 's/^sync-receiver listening on //p' "$data/out")
            [ -z "$url" ] || { listen=${url#http://}; say "$url" >"$data/url.new" && mv "$data/url.new" "$data/url"; }
            sleep 0.05
        done
        wait $! 2>/dev/null || :
    done
}
supervise 2>/dev/null &
supervisor=$!

# Waits for a file that a server writes when it listens.
wait_for() {
    tries=0
    while [ ! -s "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || die "a server does not start: $(cat "$data/log")"
        sleep 0.05
    done
}
wait_for "$data/url"
url=$(cat "$data/url")/api/media/uploads

head -c 8000000 /dev/urandom >"$data/clip"
(cd "$tools" && node "$here/scripts/tus/upload.mjs" "$url" "$data/clip" "$data/pid") || die "tus-js-client failed: $(cat "$data/log")"
"$tools/venv/bin/python" scripts/tus/upload.py "$url" "$data/clip" "$data/pid" || die "tuspy failed: $(cat "$data/log")"

# One row for each, and its file is the clip.
python3 - "$data" <<'END'
import hashlib, pathlib, sqlite3, sys
data = pathlib.Path(sys.argv[1])
clip = (data / "clip").read_bytes()
rows = sqlite3.connect(data / "store" / "receiver.db").execute("SELECT device_id, sha256, file FROM media ORDER BY device_id").fetchall()
assert [row[0] for row in rows] == ["tus-js-client", "tuspy"], rows
for device, sha256, file in rows:
    assert sha256 == hashlib.sha256(clip).hexdigest(), device
    assert (data / "store" / "clips" / file).read_bytes() == clip, device
assert not list((data / "store" / "incoming").iterdir())
END

# The uploader's first clip is a long one, so that it asks; the answer has tus' headers, and they count for nothing.
mkdir "$data/tus"
(cd "$tools" && exec node "$here/scripts/tus/server.mjs" "$data/tus" "$data/server-url") >"$data/requests" 2>>"$data/log" &
server=$!
wait_for "$data/server-url"
python3 - tests/recorder.sql "$data/surveillance.db" "$data/clip" <<'END'
import sqlite3, sys
schema, path, clip = sys.argv[1:]
db = sqlite3.connect(path)
db.executescript(open(schema).read())
db.execute("INSERT INTO capteur (nom_capteur) VALUES ('Caméra 1')")
video = open(clip, "rb").read()
for second, length in ((1, 2_000_000), (2, 3_000_000), (3, 50_000)):
    date = f"2025-12-18T17:30:0{second}.5"
    db.execute("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, 1, 1)", (video[:length], date))
db.commit()
END
for pass in first second; do
    env -i SYNC_MODE=once LOCAL_DB_PATH="$data/surveillance.db" BACKEND_URL="$(cat "$data/server-url")" "$here/target/debug/sync-service" >"$data/$pass" 2>&1 ||
        die "the $pass pass to @tus/server failed: $(cat "$data/$pass")"
    python3 - "$data/surveillance.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-18T17:31:00', 1)")
db.execute("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (zeroblob(2000000), '2025-12-18T17:32:00', 1, 1)")
db.commit()
END
done
expected="OPTIONS /api/media/uploads
POST /api/media
POST /api/media
POST /api/media
POST /api/evenements
POST /api/media"
[ "$(cat "$data/requests")" = "$expected" ] || die "@tus/server got other requests: $(cat "$data/requests")"
[ -z "$(ls "$data/tus")" ] || die "@tus/server was sent an upload"
say "test-tus.sh: tus-js-client and tuspy each brought their clip across a killed receiver and a pause; @tus/server was sent plain requests alone"
