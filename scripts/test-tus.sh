#!/bin/sh
# Clients of others, tus-js-client (npm) and tuspy (PyPI), upload to our receiver, which is killed meanwhile.
# Usage: sh scripts/test-tus.sh      (installs both into target/tus, nothing elsewhere)
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
if ! "$tools/venv/bin/python" -c 'import tusclient' 2>/dev/null; then
    say "-- installing tuspy"
    python3 -m venv "$tools/venv"
    retry "$tools/venv/bin/pip" install --quiet --disable-pip-version-check tuspy==1.1.0
fi

cargo build --package sync-receiver --locked --quiet
data=$(mktemp -d)
supervisor=
cleanup() {
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
tries=0
while [ ! -e "$data/url" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 400 ] || die "the receiver does not start: $(cat "$data/log")"
    sleep 0.05
done
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
say "test-tus.sh: tus-js-client and tuspy each brought their clip across a killed receiver and a pause"
