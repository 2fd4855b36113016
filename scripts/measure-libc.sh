#!/bin/sh
# What the static program's C library (musl, its allocator) costs beside Debian's: processor time of the same
# uploads on this machine, amd64. Prints the table of docs/performance.md. Usage: sh scripts/measure-libc.sh    (root)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/trixie.sh
apt_install python3

trixie_tree
SYNC_PACKAGES="sync-service sync-receiver" sh scripts/build-arm.sh amd64 >&2
sh scripts/build-arm.sh --static amd64 >&2
# Built against Debian 13's C library, so run with it, whatever this machine has.
libraries=$TRIXIE_TREE/lib/x86_64-linux-gnu
exec python3 - "$libraries/ld-linux-x86-64.so.2 --library-path $libraries" \
    target/arm/x86_64-unknown-linux-gnu/release/sync-service target/arm/x86_64-unknown-linux-gnu/release/sync-receiver \
    target/static/x86_64-unknown-linux-musl/release/sync-service <<'PYTHON'
import os, sqlite3, subprocess, sys, tempfile

loader, plain, receiver, static = sys.argv[1:]
loader = loader.split()
work = tempfile.TemporaryDirectory(dir="/dev/shm")


def database(events, clip_bytes):
    path = f"{work.name}/surveillance.db"
    for name in os.listdir(work.name):
        if name.startswith("surveillance.db"):
            os.unlink(f"{work.name}/{name}")
    db = sqlite3.connect(path)
    db.executescript(open("tests/recorder.sql", encoding="utf-8").read())
    db.execute("INSERT INTO capteur (id_capteur, nom_capteur) VALUES (4, 'Caméra 1')")
    # Another date each time, or the server would know the rows.
    for number in range(events):
        db.execute("INSERT INTO evenement (date, id_capteur) VALUES (?, 4)", (os.urandom(12).hex(),))
    if clip_bytes:
        db.execute("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, 4, 1)",
                   (os.urandom(clip_bytes), os.urandom(12).hex()))
    db.commit()
    db.close()
    return path


def run(command, events, clip_bytes, encoding):
    """Processor seconds, best of three."""
    best = None
    for _ in range(3):
        path = database(events, clip_bytes)
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(
            os.environ, LOCAL_DB_PATH=path, BACKEND_URL=url, SYNC_MODE="once", SYNC_COMPRESSION=encoding))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, child.returncode
        seconds = usage.ru_utime + usage.ru_stime
        best = min(best or seconds, seconds)
    return best


server = subprocess.Popen([*loader, receiver], stdout=subprocess.PIPE, text=True, env=dict(
    os.environ, RECEIVER_LISTEN="127.0.0.1:0", RECEIVER_DATA=f"{work.name}/received"))
try:
    url = server.stdout.readline().split()[-1]
    print("| work | glibc: CPU | musl: CPU |\n|---|---|---|")
    for title, events, clip_bytes, encoding in [
        ("10,000 events", 10_000, 0, "auto"),
        ("a clip of 64 MB, plain", 0, 64 << 20, "none"),
        ("a clip of 64 MB, zstd", 0, 64 << 20, "zstd"),
    ]:
        glibc, musl = (run(command, events, clip_bytes, encoding) for command in ([*loader, plain], [static]))
        print(f"| {title} | {glibc:.2f} s | {musl:.2f} s |")
finally:
    server.kill()
    work.cleanup()
PYTHON
