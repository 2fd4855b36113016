#!/bin/sh
# What the release profile costs and brings: size of the stripped arm64 binary, processor time of an upload on this
# machine, for several choices. Prints the table of docs/performance.md.
# Usage: sh scripts/measure-profile.sh [opt-level:lto:panic ...]         (root, unless this is Debian 13)
# Processor time of a 256 MB clip sent to the reference receiver on loopback, best of three, in the plain encoding
# (base64 and the socket) and in zstd (Huffman coding on top).
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh
have python3 || die "python3 is missing: apt-get install python3"

[ $# -gt 0 ] || set -- 3:fat:abort 2:fat:abort s:fat:abort z:fat:abort 3:thin:abort 3:fat:unwind
trixie_tree
work=$(mktemp -d)
receiver_pid=
trap '[ -z "$receiver_pid" ] || kill $receiver_pid; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

in_build_tree env CARGO_TARGET_DIR="$PWD/target/profile/receiver" \
    /usr/bin/cargo build --quiet --release --locked --package sync-receiver
# Built against Debian 13's C library, so run with it, whatever this machine has.
libraries=$TRIXIE_TREE/lib/x86_64-linux-gnu
loader="$libraries/ld-linux-x86-64.so.2 --library-path $libraries"
# shellcheck disable=SC2086 # a command and its arguments
receiver_start "$work/receiver" env RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$work/server" $loader \
    target/profile/receiver/release/sync-receiver

python3 - "$work/clip.db" <<'PYTHON'
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(open("tests/recorder.sql", encoding="utf-8").read())
db.execute("INSERT INTO capteur (id_capteur, nom_capteur) VALUES (4, 'Caméra 1')")
db.execute("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, '2025-12-18T17:30:00', 4, 1)",
           (os.urandom(256 << 20),))
db.commit()
PYTHON

# Processor seconds of one upload of the clip, best of three.
processor_seconds() {
    python3 - "$loader $1" "$2" "$work/clip.db" "$receiver_url" <<'PYTHON'
import os, resource, shutil, sqlite3, subprocess, sys
binary, encoding, database, url = sys.argv[1:]
best = None
for run in range(3):
    db = sqlite3.connect(database)
    # Another row each time, or the server would know the key and ask for no video.
    db.execute("UPDATE media SET date = '2025-12-18T17:30:00.' || abs(random() % 1000000)")
    if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sync_tracking'").fetchone()[0]:
        db.execute("DELETE FROM sync_tracking")
    db.commit()
    db.close()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(binary.split(), check=True, stdout=subprocess.DEVNULL, env=dict(
        os.environ, LOCAL_DB_PATH=database, BACKEND_URL=url, SYNC_MODE="once", SYNC_COMPRESSION=encoding))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    best = used if best is None else min(best, used)
print(f"{best:.2f}")
PYTHON
}

say "| opt-level | lto | panic | arm64, stripped | amd64 CPU, plain | amd64 CPU, zstd |"
say "|---|---|---|---|---|---|"
for choice; do
    level=${choice%%:*}
    rest=${choice#*:}
    lto=${rest%%:*}
    panic=${rest#*:}
    dir=$PWD/target/profile/$level-$lto-$panic
    in_build_tree env CARGO_TARGET_DIR="$dir" CARGO_PROFILE_RELEASE_OPT_LEVEL="$level" CARGO_PROFILE_RELEASE_LTO="$lto" \
        CARGO_PROFILE_RELEASE_PANIC="$panic" CARGO_TERM_QUIET=true sh scripts/build-arm.sh arm64 amd64 >&2
    size=$(wc -c <"$dir/aarch64-unknown-linux-gnu/release/sync-service")
    binary=$dir/x86_64-unknown-linux-gnu/release/sync-service
    say "| $level | $lto | $panic | $size | $(processor_seconds "$binary" none) s | $(processor_seconds "$binary" zstd) s |"
done
