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
ends_with_script "$work"

postgres_or_die
postgres_start "$work"
receiver_start "$work/receiver" env RECEIVER_DATABASE_URL="$postgres_url/postgres" RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$work/data" \
    target/release/sync-receiver
postgres_machine
for pair in "200 1" "8 500"; do
    # shellcheck disable=SC2086 # two words
    target/release/examples/load "${receiver_url#http://}" $pair "${1:-20}"
done
say "rows in the database: $("$postgres_bin/psql" -tAc 'SELECT count(*) FROM evenement' "$postgres_url/postgres"), fsync $("$postgres_bin/psql" -tAc 'SHOW fsync' "$postgres_url/postgres")"
