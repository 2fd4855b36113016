#!/bin/sh
# Clients of others, tus-js-client (npm) and tuspy (PyPI), upload to our receiver, which is killed meanwhile; the uploader meets a
# server of others, @tus/server (npm), to which it must send nothing but plain requests; and it reaches our receiver through
# Debian's nginx, configured with nothing but where to go.
# Usage: sh scripts/test-tus.sh      (installs the first into target/tus, and nginx where it is missing)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

for needed in cargo node npm python3; do
    have "$needed" || die "$needed is missing: apt-get install cargo nodejs npm python3"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3-venv is missing: apt-get install python3-venv"
PATH=$PATH:/usr/sbin
have nginx || apt_install nginx || die "nginx is missing: apt-get install nginx"

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
proxy=
cleanup() {
    [ -z "$proxy" ] || kill "$proxy" 2>/dev/null || :
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
# recorder DATABASE LENGTH...: a recorder's database with clips of these lengths, the beginnings of the clip.
recorder() {
    python3 - tests/recorder.sql "$data/clip" "$@" <<'END'
import sqlite3, sys
schema, clip, path, *lengths = sys.argv[1:]
db = sqlite3.connect(path)
db.executescript(open(schema).read())
db.execute("INSERT INTO capteur (nom_capteur) VALUES ('Caméra 1')")
video = open(clip, "rb").read()
for second, length in enumerate(map(int, lengths), 1):
    date = f"2025-12-18T17:30:0{second}.5"
    db.execute("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, 1, 1)", (video[:length], date))
db.commit()
END
}
# upload DATABASE URL DEVICE LOG: one pass.
upload() {
    env -i SYNC_MODE=once LOCAL_DB_PATH="$1" BACKEND_URL="$2" DEVICE_ID="$3" "$here/target/debug/sync-service" >"$4" 2>&1
}
recorder "$data/surveillance.db" 2000000 3000000 50000
for pass in first second; do
    upload "$data/surveillance.db" "$(cat "$data/server-url")" raspberry-1 "$data/$pass" ||
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

# nginx as it comes: bodies up to 1 MB, which it takes whole before it asks the receiver, in HTTP/1.0.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chmod 711 "$data" # its workers are another user, where this one is root
mkdir "$data/nginx"
cat >"$data/nginx.conf" <<END
daemon off;
pid $data/nginx/pid;
events {}
http {
    log_format requests '\$request_method \$status';
    access_log $data/nginx/requests requests;
    client_body_temp_path $data/nginx/body;
    proxy_temp_path $data/nginx/proxy;
    fastcgi_temp_path $data/nginx/fastcgi;
    uwsgi_temp_path $data/nginx/uwsgi;
    scgi_temp_path $data/nginx/scgi;
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass $(cat "$data/url");
        }
    }
}
END
nginx -c "$data/nginx.conf" -e "$data/nginx/errors" 2>>"$data/log" &
proxy=$!
wait_for "$data/nginx/pid"
head -c 20000000 /dev/urandom >"$data/clip"
recorder "$data/behind.db" 20000000 3000000 900000 50000
for pass in first second; do
    upload "$data/behind.db" "http://127.0.0.1:$port" nginx "$data/$pass" ||
        die "the $pass pass through nginx failed: $(cat "$data/$pass" "$data/nginx/requests")"
done
python3 - "$data" <<'END'
import collections, hashlib, pathlib, sqlite3, sys
data = pathlib.Path(sys.argv[1])
clip = (data / "clip").read_bytes()
rows = sqlite3.connect(data / "store" / "receiver.db").execute("SELECT sha256 FROM media WHERE device_id = 'nginx' ORDER BY date").fetchall()
sent = [hashlib.sha256(clip[:length]).hexdigest() for length in (20_000_000, 3_000_000, 900_000, 50_000)]
assert [row[0] for row in rows] == sent, f"{len(rows)} clips"
assert not list((data / "store" / "incoming").iterdir())
requests = collections.Counter((data / "nginx" / "requests").read_text().splitlines())
# The whole of it is refused, and pieces of 8 MB; never again. In pieces of 1 MB, the last 512 KB by themselves,
# there are 20 and 4.
assert requests["PATCH 413"] == 2 and requests["PATCH 204"] == 24, requests
assert not [request for request in requests if request.split()[1][0] not in "24"], requests
END
say "test-tus.sh: tus-js-client and tuspy each brought their clip across a killed receiver and a pause; @tus/server was sent plain requests alone; clips got across nginx as it comes"
