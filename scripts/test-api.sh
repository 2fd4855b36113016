#!/bin/sh
# The receiver's reading API against its own document: schemathesis (PyPI) asks what the OpenAPI document allows and what it does
# not, and no answer may be a 500 or outside the document. Installs it into target/schemathesis.
# Usage: sh scripts/test-api.sh [EXAMPLES]      (for each operation; 20 unless given)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
cargo build --workspace --locked --quiet
tools=target/schemathesis
if [ ! -x "$tools/bin/schemathesis" ]; then
    python3 -m venv "$tools" 2>/dev/null || { apt_install python3-venv && python3 -m venv "$tools"; }
    "$tools/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
fi

work=$(mktemp -d)
receiver_pid=
stop() {
    [ -z "$receiver_pid" ] || kill "$receiver_pid" 2>/dev/null || :
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM
receiver_start "$work/receiver" env RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$work/data" target/debug/sync-receiver
url=$receiver_url
python3 scripts/page/recorder.py make "$work/surveillance.db" scripts/demo/camera-1.mp4 scripts/demo/camera-2.mp4 >"$work/day"
LOCAL_DB_PATH=$work/surveillance.db BACKEND_URL=$url SYNC_MODE=once target/debug/sync-service >"$work/upload" || die "the upload failed"

# A stream that does not end is tried by the Rust tests.
"$tools/bin/schemathesis" run "$url/api/openapi.json" --url "$url" --exclude-path /api/live --max-examples "${1:-20}" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    >"$work/report" || { cat "$work/report" >&2; die "the API and its document differ; the report is above"; }
sed -n 's/^  *\([0-9].* generated.*\)/test-api.sh: \1/p' "$work/report"
