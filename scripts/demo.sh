#!/bin/sh
# From a fresh Debian 13, Raspberry Pi OS or Ubuntu to the main job running: installs or names what is missing, builds,
# makes a recorder's database, starts a server on a free loopback port, uploads, shows both ends, uploads nothing twice.
# On a terminal the recorder then lives through a day, and the server's page is there to be looked at until Enter.
# Usage: sh scripts/demo.sh        (leaves its files in target/demo, nothing else)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

title() { printf '\n── %s\n' "$*"; }

# ── What is needed ──────────────────────────────────────────────────────────────────────────────────────────────

# Minor version of a cargo; 0 when it does not run.
minor() { "$1" --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p' | grep . || say 0; }

# A cargo of at least 1.85 that is already there: on the path, rustup's, or one of Ubuntu's numbered packages.
find_cargo() {
    for candidate in cargo "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" $(ls /usr/bin/cargo-1.* 2>/dev/null | sort -Vr); do
        if [ "$(minor "$candidate")" -ge 85 ]; then
            CARGO=$candidate
            # A numbered cargo goes with the compiler of the same number; rustup's with the one beside it.
            case $candidate in
                /usr/bin/cargo-1.*) export RUSTC="/usr/bin/rustc-${candidate#/usr/bin/cargo-}" ;;
                */*) PATH=${candidate%/*}:$PATH ;;
            esac
            return 0
        fi
    done
    return 1
}

# The package that brings such a cargo here, if any does.
cargo_package() {
    candidate=$(apt-cache policy cargo 2>/dev/null | sed -n 's/^ *Candidate: *//p')
    if dpkg --compare-versions "${candidate:-0}" ge 1.85 2>/dev/null; then
        say cargo
    else
        apt-cache search --names-only '^cargo-1\.[0-9]+$' 2>/dev/null | sed -n 's/^\(cargo-1\.[0-9]*\) .*/\1/p' |
            sort -V | awk -F. '$2 >= 85' | tail -n 1
    fi
}

wanted=
have cc || wanted="$wanted gcc libc6-dev"
have python3 || have sqlite3 || wanted="$wanted sqlite3"
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] || wanted="$wanted ca-certificates"
cargo_wanted=
find_cargo || cargo_wanted=yes
if [ -n "$wanted$cargo_wanted" ]; then
    have apt-get || die "missing:$wanted${cargo_wanted:+ cargo (Rust 1.85 or newer)}; install it with this system's package manager"
    if can_be_root; then
        title "Installing${cargo_wanted:+ cargo}$wanted"
        retry apt_update >/dev/null
        if [ -n "$cargo_wanted" ]; then
            package=$(cargo_package)
            [ -n "$package" ] || die "this system has no Rust 1.85 or newer; get it from https://rustup.rs, then run this again"
            wanted="$wanted $package"
        fi
        # shellcheck disable=SC2086 # a list of package names
        apt_install $wanted || die "the packages could not be installed; what apt-get said is above"
    else
        package=
        [ -z "$cargo_wanted" ] || package=$(cargo_package)
        die "missing:$wanted${cargo_wanted:+ Rust 1.85 or newer}; run this, then try again:
  su -c 'apt-get update && apt-get install --no-install-recommends$wanted${cargo_wanted:+ ${package:-cargo}}'"
    fi
fi
[ -z "$cargo_wanted" ] || find_cargo || die "Rust 1.85 or newer is needed and not found; get it from https://rustup.rs"

if have python3; then
    make_database() { python3 scripts/demo/db.py make "$@"; }
    run_sql() { python3 scripts/demo/db.py run "$@"; }
    ask() { python3 scripts/demo/db.py ask "$@"; }
else
    make_database() {
        cat "$2" "$3" | sqlite3 "$1"
        sqlite3 "$1" "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES
            (readfile('$4'), '2025-12-18T17:31:30.250000', 4, 1), (readfile('$5'), '2025-12-18T17:32:30.250000', 5, 2)"
    }
    run_sql() { sqlite3 "$1" <"$2"; }
    ask() { sqlite3 "$1" "$2"; }
fi

# ── Build ───────────────────────────────────────────────────────────────────────────────────────────────────────

title "Building (the first time takes some minutes)"
"$CARGO" build --release --locked --package sync-service --package sync-receiver
programs=${CARGO_TARGET_DIR:-target}/release

# ── The recorder's database, and a server ───────────────────────────────────────────────────────────────────────

demo=target/demo
rm -rf "$demo"
mkdir -p "$demo"
receiver_pid=
stop() {
    status=$?
    trap - EXIT
    if [ -n "$receiver_pid" ]; then
        kill "$receiver_pid" 2>/dev/null || :
        wait "$receiver_pid" 2>/dev/null || :
    fi
    [ "$status" = 0 ] || say "demo.sh: stopped with an error (status $status); nothing was left running" >&2
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

title "A recorder's database: $demo/surveillance.db"
make_database "$demo/surveillance.db" tests/recorder.sql scripts/demo/rows.sql scripts/demo/camera-1.mp4 scripts/demo/camera-2.mp4
ask "$demo/surveillance.db" "SELECT (SELECT count(*) FROM evenement) || ' events, ' || (SELECT count(*) FROM media) || ' clips'"

title "A server on a free port"
receiver_start "$demo/receiver" env RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$demo/server" "$programs/sync-receiver"
cat "$demo/receiver.out"

upload() {
    LOCAL_DB_PATH=$demo/surveillance.db BACKEND_URL=$receiver_url SYNC_MODE=once "$programs/sync-service"
}
held() {
    ask "$demo/server/receiver.db" "SELECT (SELECT count(*) FROM evenement) || ' events, ' || (SELECT count(*) FROM media) || ' clips'"
}

# ── The job ─────────────────────────────────────────────────────────────────────────────────────────────────────

title "SYNC_MODE=once sync-service"
upload

title "On the device: SELECT * FROM sync_tracking"
ask "$demo/surveillance.db" "SELECT table_name, 'row ' || local_id, 'server id ' || remote_id, sync_status, sync_date FROM sync_tracking ORDER BY id"

title "On the server: evenement and media"
ask "$demo/server/receiver.db" "SELECT 'evenement ' || id, date, capteur_nom, device_id FROM evenement ORDER BY id"
ask "$demo/server/receiver.db" "SELECT 'media ' || id, date, capteur_nom, 'camera ' || numero_camera, size_bytes || ' bytes', file FROM media ORDER BY id"
first=$(held)
[ "$first" = "5 events, 2 clips" ] || die "the server holds $first"
for clip in scripts/demo/camera-1.mp4 scripts/demo/camera-2.mp4; do
    same=$(find "$demo/server/clips" -type f -exec cmp -s "$clip" {} \; -print)
    [ -n "$same" ] || die "no clip at the server is $clip"
    say "$same is $clip, byte for byte"
done

title "A second run"
upload
second=$(held)
[ "$second" = "$first" ] || die "a second run sent again: $second after $first"

title "Done: the server holds $second, each once; the second run sent nothing. The files are in $demo."
[ -t 0 ] && [ -t 1 ] || exit 0

title "A day in front of the cameras"
run_sql "$demo/surveillance.db" scripts/demo/day.sql
upload >"$demo/day.log" || die "not all of the day was sent: $demo/day.log says why"
say "The server holds $(held)."

title "Look at it: $receiver_url"
say "Only this machine can open that address. Press Enter to stop the server."
read -r _ || :
