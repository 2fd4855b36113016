#!/bin/sh
# How many events a second one receiver stores in PostgreSQL: single ones on 200 connections, and batches of 500 on 8. All on this
# machine, in a cluster of its own in TMPDIR with PostgreSQL's own settings (fsync on).
# Usage: sh scripts/measure-postgres.sh [SECONDS]      (for each; 20 unless given)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/postgres.sh

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
cargo build --release --locked --quiet -p sync-receiver --example load
cargo build --release --locked --quiet -p sync-receiver
work=$(mktemp -d)
receiver=
stop() {
    [ -z "$receiver" ] || kill "$receiver" 2>/dev/null || :
    postgres_stop "$work"
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

postgres_or_die
postgres_start "$work"
RECEIVER_DATABASE_URL=$postgres_url/postgres RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA=$work/data target/release/sync-receiver >"$work/log" &
receiver=$!
tries=0
until address=$(sed -n 's/.*listening on http:\/\/\([^ ]*\).*/\1/p' "$work/log") && [ -n "$address" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || die "the receiver did not start"
    sleep 0.1
done
say "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg) before; $("$postgres_bin/postgres" --version)"
for pair in "200 1" "8 500"; do
    # shellcheck disable=SC2086 # two words
    target/release/examples/load "$address" $pair "${1:-20}"
done
say "rows in the database: $("$postgres_bin/psql" -tAc 'SELECT count(*) FROM evenement' "$postgres_url/postgres"), fsync $("$postgres_bin/psql" -tAc 'SHOW fsync' "$postgres_url/postgres")"
